import type { Statement } from "../database.js";

/**
 * The items of keys $1..$4 (parallel arrays, sorted), locked in that order: the one lock order (2.5). `is_session_live` is
 * decided on the database clock.
 */
export const LOCK_WORK_ITEMS: Statement = {
  name: "lock-work-items",
  text: `
    SELECT w.*, coalesce(s.expires_at > clock_timestamp(), false) AS is_session_live
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY
      AS k (resource_group, kind, namespace, name, position)
    JOIN work_items w USING (resource_group, kind, namespace, name)
    LEFT JOIN sessions s ON s.session_id = w.lease_session_id
    ORDER BY k.position
    FOR UPDATE OF w`,
};

/**
 * $1: JSON array of items that had no row when the batch read. A row that came meanwhile (the sweep, Enqueue) may be leased
 * already: it keeps its lease and only learns that one more pass is wanted.
 */
export const INSERT_WORK_ITEMS: Statement = {
  name: "insert-work-items",
  text: `
    INSERT INTO work_items (resource_group, kind, namespace, name, resource_id, shard_id, wanted, due_at, priority, reason,
      message, failures, last_error, is_pending)
    SELECT * FROM json_to_recordset($1::json) AS x (resource_group text, kind text, namespace text, name text,
      resource_id bigint, shard_id text, wanted bigint, due_at timestamptz, priority smallint, reason text, message text,
      failures integer, last_error text, is_pending boolean)
    ON CONFLICT ON CONSTRAINT work_items_pkey DO UPDATE SET
      resource_id = excluded.resource_id, shard_id = excluded.shard_id, wanted = work_items.wanted + excluded.wanted,
      due_at = least(work_items.due_at, excluded.due_at), priority = least(work_items.priority, excluded.priority),
      reason = excluded.reason, is_pending = excluded.is_pending`,
};

/** $1: JSON array of locked items whose lease is kept. */
export const UPDATE_WORK_ITEMS: Statement = {
  name: "update-work-items",
  text: `
    UPDATE work_items w SET resource_id = x.resource_id, shard_id = x.shard_id, wanted = x.wanted, due_at = x.due_at,
      priority = x.priority, reason = x.reason, message = x.message, failures = x.failures, last_error = x.last_error,
      is_pending = x.is_pending,
      lease_token = CASE WHEN x.keeps_lease THEN lease_token END,
      lease_session_id = CASE WHEN x.keeps_lease THEN lease_session_id END,
      lease_resource_id = CASE WHEN x.keeps_lease THEN lease_resource_id END,
      lease_wanted = CASE WHEN x.keeps_lease THEN lease_wanted END,
      leased_at = CASE WHEN x.keeps_lease THEN leased_at END,
      lease_deadline = CASE WHEN x.keeps_lease THEN lease_deadline END
    FROM json_to_recordset($1::json) AS x (resource_group text, kind text, namespace text, name text, resource_id bigint,
      shard_id text, wanted bigint, due_at timestamptz, priority smallint, reason text, message text, failures integer,
      last_error text, is_pending boolean, keeps_lease boolean)
    WHERE (w.resource_group, w.kind, w.namespace, w.name) = (x.resource_group, x.kind, x.namespace, x.name)`,
};

/** $1..$4: the keys of locked items that are settled. */
export const DELETE_WORK_ITEMS: Statement = {
  name: "delete-work-items",
  text: `
    DELETE FROM work_items w
    USING unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (resource_group, kind, namespace, name)
    WHERE (w.resource_group, w.kind, w.namespace, w.name) = (k.resource_group, k.kind, k.namespace, k.name)`,
};
