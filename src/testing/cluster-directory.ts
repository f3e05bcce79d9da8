import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandLineOf, identifyProcess } from "../shared/process-identity.js";

const PREFIX = "reconcile-testing-";

/** Directories of this process that are in use. */
const mine = new Set<string>();

/**
 * Makes an empty directory for a cluster. At this process's exit, whatever is left in it is ended and removed; after a
 * `kill -9` the next process that makes one does it.
 */
export function makeClusterDirectory(): string {
  if (mine.size === 0) {
    sweepLeftovers();
    process.once("exit", () => mine.forEach(removeCluster));
  }
  const directory = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  mine.add(directory);
  return directory;
}

/** Also of another user's processes there may be some: only what is ours is touched. */
function sweepLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const directory = join(tmpdir(), name);
    const isMine = statSync(directory, { throwIfNoEntry: false })?.uid === process.getuid?.();
    const owner = Number.parseInt(name.slice(PREFIX.length), 10);
    if (isMine && identifyProcess(owner) === undefined) removeCluster(directory);
  }
}

/** Synchronous, to run while a process exits. */
function removeCluster(directory: string): void {
  const pid = postmasterOf(directory);
  if (pid !== undefined) process.kill(pid, "SIGQUIT"); // PostgreSQL's "immediate"
  // It may write its last files while they are removed.
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** The running PostgreSQL of the directory. The number in its file may be a stranger's by now. */
function postmasterOf(directory: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(join(directory, "cluster", "postmaster.pid"), "utf8"), 10);
    return commandLineOf(pid)?.includes(directory) ? pid : undefined;
  } catch {
    return undefined; // not running, or never started
  }
}
