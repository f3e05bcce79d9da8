import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { identifyProcess } from "./process-identity.js";

/** Thrown when a live process holds the lock. */
export class OwnerLockHeldError extends Error {
  override readonly name = "OwnerLockHeldError";
  constructor(readonly pid: number) {
    super(`held by the running process ${pid}`);
  }
}

/** Two starters that both find a dead owner's lock replace it within this time; the last one keeps it. */
const TAKEOVER_SETTLE_MS = 50;

/**
 * Takes `file` as the mark that this process owns what lies beside it, and returns how to give it back (twice is safe).
 *
 * Throws {@link OwnerLockHeldError} while the process that wrote it runs, this one included. A dead owner's lock is
 * taken over, so that a killed run never needs a hand to clean up.
 */
export async function takeOwnerLock(file: string): Promise<() => void> {
  const mine = JSON.stringify({ pid: process.pid, identity: identifyProcess(process.pid), nonce: crypto.randomUUID() });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, mine, { mode: 0o600 });
  try {
    if (!tryLink(draft, file)) {
      refuseLiveOwner(file);
      renameSync(draft, file);
      await sleep(TAKEOVER_SETTLE_MS);
      if (readFileSync(file, "utf8") !== mine) refuseLiveOwner(file);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  return () => {
    if (read(file) === mine) rmSync(file, { force: true });
  };
}

/** Linking is atomic and shows a complete file or none. */
function tryLink(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

function refuseLiveOwner(file: string): void {
  const owner = parseOwner(read(file));
  if (owner?.identity !== undefined && identifyProcess(owner.pid) === owner.identity) {
    throw new OwnerLockHeldError(owner.pid);
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // released in between
  }
}

function parseOwner(text: string): { pid: number; identity?: string } | undefined {
  try {
    const owner: unknown = JSON.parse(text);
    if (typeof owner !== "object" || owner === null || !("pid" in owner) || typeof owner.pid !== "number")
      return undefined;
    return "identity" in owner && typeof owner.identity === "string"
      ? { pid: owner.pid, identity: owner.identity }
      : undefined;
  } catch {
    return undefined; // cut off by a machine crash: nobody's
  }
}
