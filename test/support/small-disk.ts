/** A file system of a test's own that can be filled to the last byte. */
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { runDirectory } from "./run-directory.js";

/** Whether this process may mount one. */
export const canMount: boolean = process.getuid?.() === 0 && canMountHere();

/** A mounted file system. */
export interface SmallDisk {
  readonly directory: string;
  /** Nothing more can be stored from now on. */
  fill(): void;
  /** What `fill` took is free again. */
  free(): void;
  unmount(): void;
}

export function mountSmallDisk(megabytes: number): SmallDisk {
  const directory = mkdtempSync(join(runDirectory(), "disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=711`, "tmpfs", directory]);
  const filler = join(directory, "filler");
  return {
    directory,
    fill() {
      const file = openSync(filler, "w");
      // Large pieces first; the last bytes are taken one page at a time.
      for (const bytes of [1 << 20, 4096]) while (fits(file, Buffer.alloc(bytes, 1)));
      closeSync(file);
    },
    free: () => rmSync(filler, { force: true }),
    unmount() {
      execFileSync("umount", ["--lazy", directory]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function fits(file: number, bytes: Buffer): boolean {
  try {
    return writeSync(file, bytes) === bytes.length;
  } catch {
    return false; // ENOSPC
  }
}

function canMountHere(): boolean {
  const directory = mkdtempSync(join(runDirectory(), "disk-"));
  const isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", directory]).status === 0;
  if (isMounted) execFileSync("umount", [directory]);
  rmSync(directory, { recursive: true, force: true });
  return isMounted;
}
