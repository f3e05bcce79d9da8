import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Writes `file` as a whole or not at all, and so that a machine crash afterwards does not lose it. Mode 0600. */
export function writeFileDurably(file: string, text: string): void {
  const draft = `${file}.draft`;
  const handle = openSync(draft, "w", 0o600);
  try {
    fchmodSync(handle, 0o600); // a draft that a crash left keeps its own mode
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(draft, file);
  const directory = openSync(dirname(file), "r");
  try {
    fsyncSync(directory); // the rename itself
  } finally {
    closeSync(directory);
  }
}
