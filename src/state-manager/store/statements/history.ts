import type { Statement } from "../database.js";
import type { EventRow } from "./events.js";

/** A row of `READ_HISTORY`. */
export interface HistoryRow extends EventRow {
  readonly log_id: number;
  readonly committed_at: Date;
  /** Rows of the page before its size was looked at. */
  readonly found: bigint;
}

/**
 * $1..$4 key, $5 revision and $6 log to go on before, $7 most, $8 bytes: changes of a key, newest first, by the index
 * `events_history`. The first always comes; one more is looked at, to know whether another page follows.
 */
export const READ_HISTORY: Statement = {
  name: "read-history",
  text: `
    SELECT log_id, revision, fingerprint, previous_fingerprint, type, resource_group, kind, namespace, name, meta, spec, status,
      committed_at, found
    FROM (
      SELECT e.*, sum(bytes) OVER newest_first AS bytes_so_far, row_number() OVER newest_first AS position,
        count(*) OVER () AS found
      FROM (
        SELECT * FROM events
        WHERE resource_group = $1 AND kind = $2 AND namespace = $3 AND name = $4
          AND revision <= $5::bigint AND (revision, log_id) < ($5::bigint, $6::smallint)
        ORDER BY revision DESC, log_id DESC LIMIT $7::integer + 1
      ) e
      WINDOW newest_first AS (ORDER BY revision DESC, log_id DESC)
    ) e
    WHERE position = 1 OR (position <= $7::integer AND bytes_so_far <= $8::bigint)
    ORDER BY position`,
};
