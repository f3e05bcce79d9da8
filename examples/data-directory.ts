import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { writeFileDurably } from "../src/shared/durable-file.js";
import { OwnerLockHeldError, takeOwnerLock } from "../src/shared/owner-lock.js";

/** A data directory that belongs to this process until it is released. */
export interface OwnedDirectory {
  /** The same in every life of the program: the next one after a `kill -9` takes over what this one had leased. */
  readonly instanceId: string;
  /** Twice is safe. */
  release(): void;
}

/**
 * Takes a data directory, making it on first use. Throws while a running process has it: two would run the same files and
 * processes, and fence each other, having one instance id.
 */
export async function ownDataDirectory(directory: string): Promise<OwnedDirectory> {
  mkdirSync(directory, { recursive: true });
  try {
    const release = await takeOwnerLock(join(directory, "examples.lock"));
    return { instanceId: instanceIdOf(directory), release };
  } catch (error) {
    if (!(error instanceof OwnerLockHeldError)) throw error;
    throw new Error(
      `the examples in ${directory} are run by the process ${error.pid}: stop it, or set RECONCILE_DATA_DIR to another ` +
        "directory",
      { cause: error },
    );
  }
}

/** Kept in a file, because two hosts may have the same name and the same paths. */
function instanceIdOf(directory: string): string {
  const file = join(directory, "instance-id");
  if (!existsSync(file)) writeFileDurably(file, `${hostname()}-${randomUUID()}`);
  return readFileSync(file, "utf8");
}
