/** A durable log in memory, for tests that are about its readers: the real one has its own tests. */
import type { Change, Position } from "../../src/resource/change.js";
import { DomainError } from "../../src/resource/errors.js";
import type { DurableChangeLog, LogExtent } from "../../src/state-manager/log/change-log.js";
import type { TestHistory } from "./changes.js";

/** Serves `history`, which may be exchanged for another one, as a restore does. */
export class TestLog implements DurableChangeLog {
  history: TestHistory;
  /** Revisions up to this one are compacted. */
  floor = 0;
  reads = 0;
  /** When set, every call fails. */
  isAway = false;

  constructor(history: TestHistory) {
    this.history = history;
  }

  async extents(): Promise<readonly LogExtent[]> {
    this.#answer();
    return [{ floor: this.history.positionAt(this.floor), head: this.history.head }];
  }

  async read(_log: number, after: Position, limit: number): Promise<readonly Change[]> {
    this.#answer();
    this.reads += 1;
    const count = Number(after.revision);
    if (count < this.floor) throw new DomainError("OUT_OF_RANGE", "COMPACTED", "compacted");
    if (count > this.history.changes.length || this.history.positionAt(count).fingerprint !== after.fingerprint) {
      throw new DomainError("INVALID_ARGUMENT", "LINEAGE_LOST", "lineage lost");
    }
    return this.history.changes.slice(count, count + limit);
  }

  #answer(): void {
    if (this.isAway) throw new DomainError("UNAVAILABLE", "STORE_UNAVAILABLE", "away");
  }
}
