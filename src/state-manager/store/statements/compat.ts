import type { Statement } from "../database.js";

/** A row of `READ_COMPAT_STREAMS`. */
export interface CompatStreamsRow {
  readonly compat_streams: boolean;
}

/** Whether the streams of existing operators are written. */
export const READ_COMPAT_STREAMS: Statement = {
  name: "read-compat-streams",
  text: "SELECT compat_streams FROM store",
};

/** $1: whether they are, from now on. */
export const WRITE_COMPAT_STREAMS: Statement = {
  name: "write-compat-streams",
  text: "UPDATE store SET compat_streams = $1 WHERE compat_streams <> $1",
};

/** A row of `READ_UNSETTLED`. */
export interface UnsettledRow {
  /** The last resource looked at; null behind the last one there is. */
  readonly last_id: bigint | null;
  /** Null, as the others: none of those looked at is unsettled. */
  readonly shard_id: string | null;
  readonly resource_group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/**
 * Looks at $2 resources after id $1: those of log $3, and of shard $4 unless it is null, whose desired state no operator has
 * caught up with or whose deletion is requested. By id and not by an index: a status write must change no index.
 */
export const READ_UNSETTLED: Statement = {
  name: "read-unsettled",
  text: `
    WITH page AS MATERIALIZED (
      SELECT id, shard_id, log_id, resource_group, kind, namespace, name,
        generation > observed_generation OR deletion_requested_at IS NOT NULL AS is_unsettled
      FROM resources WHERE id > $1 ORDER BY id LIMIT $2
    )
    SELECT l.last_id, p.shard_id, p.resource_group, p.kind, p.namespace, p.name
    FROM (SELECT max(id) AS last_id FROM page) l
    LEFT JOIN page p ON p.is_unsettled AND p.log_id = $3 AND ($4::text IS NULL OR p.shard_id = $4::text)
    ORDER BY p.id`,
};
