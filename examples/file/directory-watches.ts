import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";

/**
 * Watches the entries of some directories, each by a watch of its own. A recursive watch would be one line, but on Linux
 * Node.js makes it of one watch per file, and that loses a file that is replaced by a rename, as ours are.
 */
export class DirectoryWatches {
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #onTouched: (path: string) => void;

  /** `onTouched` is told the path of every entry that is made, changed or removed. */
  constructor(onTouched: (path: string) => void) {
    this.#onTouched = onTouched;
  }

  /**
   * Watches what is at `directory` now: an earlier watch may be of one that was removed since. Without a directory, or
   * when the system allows no more watches, there is none.
   */
  renew(directory: string): void {
    const earlier = this.#watchers.get(directory);
    // In two turns of the event loop: what happened so far, and in a directory that was removed comes through no other
    // watch, is read in between. And after the new watch has begun, so that of the same directory nothing is lost.
    if (earlier !== undefined) setImmediate(() => setImmediate(() => earlier.close()));
    this.#watchers.delete(directory);
    try {
      const watcher = watch(directory, (_, name) => name !== null && this.#onTouched(join(directory, name)));
      watcher.on("error", () => watcher.close());
      this.#watchers.set(directory, watcher);
    } catch {
      // The resync goes on without it.
    }
  }

  /** Ends the watch of one directory, or of all. Twice is safe. */
  close(directory?: string): void {
    for (const watched of directory === undefined ? [...this.#watchers.keys()] : [directory]) {
      this.#watchers.get(watched)?.close();
      this.#watchers.delete(watched);
    }
  }
}
