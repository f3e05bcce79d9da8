/**
 * One directory holds everything a test run puts on disk, so one sweep can end what the run started and remove it: at
 * the end of the run, when it is interrupted, and at the start of the next run when this one was killed.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { commandLineOf, identifyProcess } from "../../src/shared/process-identity.js";

const prefix = "reconcile-test-";
const variable = "RECONCILE_TEST_DIRECTORY";

/**
 * The directory of this run. The first process that asks owns it and removes it when it exits; the processes it starts
 * find it in their environment.
 */
export function runDirectory(): string {
  const inherited = process.env[variable];
  if (inherited !== undefined) return inherited;
  sweepLeftovers();
  const directory = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
  chmodSync(directory, 0o711); // PostgreSQL's own user must reach its data directory below it.
  process.env[variable] = directory;
  process.once("exit", () => removeRunDirectory(directory));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));
  return directory;
}

/** Ends the servers whose directories lie in `directory` and removes it. Synchronous, to run while a process exits. */
function removeRunDirectory(directory: string): void {
  for (const file of pidFilesIn(directory)) {
    const pid = Number.parseInt(readFileSync(file, "utf8"), 10);
    // The number may be a stranger's by now. SIGQUIT is PostgreSQL's "immediate" stop and ends Redis at once.
    if (commandLineOf(pid)?.includes(dirname(file))) end(pid);
  }
  const disks = readdirSync(directory).filter((name) => name.startsWith("disk-"));
  for (const name of disks) spawnSync("umount", ["--lazy", join(directory, name)]);
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** PostgreSQL's, Redis's and those of programs: see postgres.ts, redis.ts and processes.ts. */
function pidFilesIn(directory: string): string[] {
  const entries = readdirSync(directory, { withFileTypes: true });
  const places = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(directory, name));
  const files = places.flatMap((place) =>
    ["cluster/postmaster.pid", "redis.pid", "program.pid"].map((name) => join(place, name)),
  );
  return files.filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
}

function end(pid: number): void {
  process.kill(pid, "SIGQUIT");
  process.kill(pid, "SIGCONT"); // Scenarios pause processes, and a paused one would not see it.
  const clock = new Int32Array(new SharedArrayBuffer(4)); // Nobody wakes it: waiting on it is a synchronous sleep.
  const deadline = Date.now() + 5_000;
  while (identifyProcess(pid) !== undefined && Date.now() < deadline) Atomics.wait(clock, 0, 0, 20);
}

/** Removes the directories of dead owners: a run ended by SIGKILL cannot clean up after itself. */
function sweepLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    const owner = Number.parseInt(name.slice(prefix.length), 10);
    const directory = join(tmpdir(), name);
    const isMine = statSync(directory, { throwIfNoEntry: false })?.uid === process.getuid?.();
    if (isMine && identifyProcess(owner) === undefined) removeRunDirectory(directory);
  }
}
