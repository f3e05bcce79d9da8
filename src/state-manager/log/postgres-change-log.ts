import { type Change, ORIGIN, type Position } from "../../resource/change.js";
import { DomainError } from "../../resource/errors.js";
import type { Connection } from "../store/database.js";
import { type EventRow, type ExtentRow, READ_EVENTS, READ_EXTENTS } from "../store/statements/events.js";
import { decodeChange } from "./change-codec.js";
import type { DurableChangeLog, LogExtent } from "./change-log.js";

/** Bytes of bodies a read brings into memory at most, beyond its first event. */
const READ_MAX_BYTES = 4 * 1024 * 1024;

/** The history in PostgreSQL: the truth every other reader is checked against. */
export class PostgresChangeLog implements DurableChangeLog {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async extents(): Promise<readonly LogExtent[]> {
    const rows = await this.#connection.query<ExtentRow>(READ_EXTENTS);
    return rows.map((row) => ({
      floor: { revision: row.floor_revision, fingerprint: row.floor_fingerprint },
      head: { revision: row.head_revision, fingerprint: row.head_fingerprint },
    }));
  }

  /** Reads from `after` itself: its row, or the floor, proves that the token belongs to this history (I4). */
  async read(log: number, after: Position, limit: number): Promise<readonly Change[]> {
    const rows = await this.#connection.query<EventRow>(READ_EVENTS, [log, after.revision, limit + 1, READ_MAX_BYTES]);
    const [first, ...rest] = rows;
    if (first?.revision === after.revision) {
      if (first.fingerprint !== after.fingerprint) throw lineageLost(log, after);
      return rest.map((row) => changeFromRow(log, row));
    }
    await this.#checkFloor(log, after);
    if (first !== undefined && first.revision !== after.revision + 1n) {
      throw new Error(`log ${log} has a gap between ${after.revision} and ${first.revision}`);
    }
    return rows.slice(0, limit).map((row) => changeFromRow(log, row));
  }

  /** The position has no row: only the floor may still vouch for it. Checked after reading, as retention moves on (2.11). */
  async #checkFloor(log: number, after: Position): Promise<void> {
    const extent = (await this.extents())[log];
    const { floor, head } = extent ?? { floor: ORIGIN, head: ORIGIN };
    if (after.revision < floor.revision) {
      throw new DomainError(
        "OUT_OF_RANGE",
        "COMPACTED",
        `the history before revision ${floor.revision + 1n} is gone and the position is ${after.revision}; list again, then watch from the list's token`,
        { field: "resume_token" },
      );
    }
    if (after.revision > head.revision || after.fingerprint !== floor.fingerprint) throw lineageLost(log, after);
  }
}

function lineageLost(log: number, position: Position): DomainError {
  return new DomainError(
    "INVALID_ARGUMENT",
    "LINEAGE_LOST",
    `revision ${position.revision} of log ${log} is not the one this position was issued for (the store was restored); list again, then watch from the list's token`,
    { field: "resume_token" },
  );
}

/** The change a row of `events` holds. */
export function changeFromRow(log: number, row: EventRow): Change {
  return decodeChange({
    log,
    revision: row.revision,
    fingerprint: row.fingerprint,
    previousFingerprint: row.previous_fingerprint,
    type: row.type,
    resourceGroup: row.resource_group,
    kind: row.kind,
    namespace: row.namespace,
    name: row.name,
    meta: row.meta,
    spec: row.spec,
    status: row.status,
  });
}
