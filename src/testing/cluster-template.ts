import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findPostgresBinaries } from "../state-manager/embedded-postgres/binaries.js";

/** Raise it when `PostgresCluster` makes its clusters in another way: then older templates are not used any more. */
const TEMPLATE_VERSION = 1;

/**
 * Fills an empty directory with a fresh cluster that was made earlier, which is ten times faster than to make one. Does nothing
 * when there is none yet, or the cache is not to be trusted.
 */
export async function copyTemplate(directory: string): Promise<void> {
  const template = await templatePath();
  if (!existsSync(template) || !isOurs(template)) return;
  // `cp` keeps owners, which matters to root, for whom another user runs PostgreSQL.
  await promisify(execFile)("cp", ["-a", `${template}/.`, directory]).catch(() => empty(directory));
}

/**
 * Keeps a copy of a fresh cluster, which must not run yet, for the next time. Best effort: a cache that cannot be written costs
 * time and nothing else.
 */
export async function saveTemplate(directory: string): Promise<void> {
  const template = await templatePath();
  if (existsSync(template)) return;
  const draft = `${template}.${randomUUID()}`;
  try {
    mkdirSync(draft, { recursive: true, mode: 0o700 });
    await promisify(execFile)("cp", ["-a", `${directory}/.`, draft]);
    renameSync(draft, template); // refused when another process was faster
  } catch {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** In the user's own cache, where no other user can put one. Other programs of PostgreSQL make another template. */
async function templatePath(): Promise<string> {
  const { initdb } = await findPostgresBinaries();
  const { size, mtimeMs } = statSync(initdb);
  const name = createHash("sha256")
    .update(`${TEMPLATE_VERSION} ${initdb} ${size} ${mtimeMs}`)
    .digest("hex")
    .slice(0, 16);
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "reconcile-toolkit", `test-cluster-${name}`);
}

function isOurs(path: string): boolean {
  const { uid, mode } = statSync(path);
  return uid === process.getuid?.() && (mode & 0o022) === 0;
}

function empty(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { mode: 0o700 });
}
