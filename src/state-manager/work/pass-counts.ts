import type { PassResult } from "../../resource/work.js";
import type { Connection } from "../store/database.js";
import { COUNT_PASSES } from "../store/statements/sessions.js";

/** How long counts stay in memory: whoever reads them sees them within seconds, and busy workers cost no statement each. */
const FLUSH_INTERVAL_MS = 2_000;

/** Counts the passes of sessions: in memory, and every 2 s into their rows if there were any. */
export class PassCounts {
  readonly #database: Pick<Connection, "query">;
  readonly #expectFlush: (inMs: number) => void;
  readonly #counts = new Map<string, { passes: number; failed: number }>();
  #dueAt = Number.POSITIVE_INFINITY;

  /** `expectFlush` sees to it that `flush` is called in that many milliseconds. */
  constructor(database: Pick<Connection, "query">, expectFlush: (inMs: number) => void) {
    this.#database = database;
    this.#expectFlush = expectFlush;
  }

  /** The report of a pass was accepted. A lease that was given back was no pass. */
  count(sessionId: string, { type }: PassResult): void {
    if (type === "RELEASE") return;
    this.#add(sessionId, 1, type === "ERROR" ? 1 : 0);
  }

  /** Writes what is due, or with `now` everything. Resolves with the milliseconds until the rest is; on failure nothing is lost. */
  async flush(now = false): Promise<number> {
    const inMs = this.#dueAt - performance.now();
    if (this.#counts.size === 0 || (inMs > 0 && !now)) return inMs;
    const counted = [...this.#counts];
    this.#counts.clear();
    this.#dueAt = Number.POSITIVE_INFINITY;
    const values = [
      counted.map(([sessionId]) => sessionId),
      counted.map(([, { passes }]) => passes),
      counted.map(([, { failed }]) => failed),
    ];
    try {
      await this.#database.query(COUNT_PASSES, values);
    } catch (error) {
      for (const [sessionId, { passes, failed }] of counted) this.#add(sessionId, passes, failed);
      throw error;
    }
    return this.#dueAt - performance.now();
  }

  #add(sessionId: string, passes: number, failed: number): void {
    if (this.#counts.size === 0) {
      this.#dueAt = performance.now() + FLUSH_INTERVAL_MS;
      this.#expectFlush(FLUSH_INTERVAL_MS);
    }
    const count = this.#counts.get(sessionId) ?? { passes: 0, failed: 0 };
    this.#counts.set(sessionId, { passes: count.passes + passes, failed: count.failed + failed });
  }
}
