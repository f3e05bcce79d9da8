import pLimit from "p-limit";
import type { Change, Position } from "../../resource/change.js";
import type { ChangeLog, DurableChangeLog } from "../log/change-log.js";

/** Reads in flight at once for all watches together: catching up must not take the pool from writes (W7, I9). */
const CONCURRENT_READS = 4;

/** Changes and where they were found. */
export interface HistoryRead {
  readonly changes: readonly Change[];
  readonly source: "redis" | "postgres";
}

/** What the ring does not hold: from Redis while it has it, else from PostgreSQL. */
export class History {
  readonly #redis: ChangeLog | undefined;
  readonly #durable: DurableChangeLog;
  readonly #limit = pLimit(CONCURRENT_READS);
  /** Equal reads in flight are one: watchers that reconnect together stand at the same position. */
  readonly #inFlight = new Map<string, Promise<HistoryRead>>();

  constructor(redis: ChangeLog | undefined, durable: DurableChangeLog) {
    this.#redis = redis;
    this.#durable = durable;
  }

  /** Up to `limit` changes directly after `after`; none at the end of the log. Throws as `DurableChangeLog.read` does. */
  read(log: number, after: Position, limit: number): Promise<HistoryRead> {
    return this.#once(`read ${log} ${after.revision} ${after.fingerprint} ${limit}`, async () => {
      const changes = await this.#redis?.read(log, after, limit);
      if (changes !== undefined) return { changes, source: "redis" };
      return { changes: await this.#durable.read(log, after, limit), source: "postgres" };
    });
  }

  /** Resolves when PostgreSQL knows `position`; throws LINEAGE_LOST or COMPACTED otherwise (I4). */
  async verify(log: number, position: Position): Promise<void> {
    await this.#once(`verify ${log} ${position.revision} ${position.fingerprint}`, async () => {
      return { changes: await this.#durable.read(log, position, 1), source: "postgres" };
    });
  }

  #once(id: string, read: () => Promise<HistoryRead>): Promise<HistoryRead> {
    const running = this.#inFlight.get(id);
    if (running !== undefined) return running;
    const started = this.#limit(read).finally(() => this.#inFlight.delete(id));
    this.#inFlight.set(id, started);
    return started;
  }
}
