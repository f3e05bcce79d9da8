import type { WorkItem } from "../../../resource/work.js";
import { type Column, columnNames, unnestColumns } from "../columns.js";
import type { Statement } from "../database.js";

const KEY_COLUMNS: readonly Column<WorkItem>[] = [
  { name: "resource_group", type: "text", read: ({ key }) => key.resourceGroup },
  { name: "kind", type: "text", read: ({ key }) => key.kind },
  { name: "namespace", type: "text", read: ({ key }) => key.namespace },
  { name: "name", type: "text", read: ({ key }) => key.name },
];

const STATE_COLUMNS: readonly Column<WorkItem>[] = [
  { name: "resource_id", type: "bigint", read: ({ resourceId }) => resourceId },
  { name: "shard_id", type: "text", read: ({ shardId }) => shardId },
  { name: "wanted", type: "bigint", read: ({ wanted }) => wanted },
  { name: "due_at", type: "timestamptz", read: ({ dueAt }) => dueAt },
  { name: "priority", type: "smallint", read: ({ priority }) => priority },
  { name: "priority_shift", type: "smallint", read: ({ priorityShift }) => priorityShift },
  { name: "reason", type: "text", read: ({ reason }) => reason },
  { name: "message", type: "text", read: ({ message }) => message },
  { name: "failures", type: "integer", read: ({ failures }) => failures },
  { name: "last_error", type: "text", read: ({ lastError }) => lastError },
  { name: "is_pending", type: "boolean", read: ({ isPending }) => isPending },
  { name: "pending_since", type: "timestamptz", read: ({ pendingSince }) => pendingSince },
];

/** What passes left behind: nothing on a new item. */
const PAST_COLUMNS: readonly Column<WorkItem>[] = [
  { name: "deaths", type: "smallint", read: ({ deaths }) => deaths },
  { name: "strikes", type: "smallint", read: ({ strikes }) => strikes },
  { name: "quarantined_at", type: "timestamptz", read: ({ quarantinedAt }) => quarantinedAt },
  { name: "is_quarantine_shown", type: "boolean", read: ({ isQuarantineShown }) => isQuarantineShown },
  { name: "progress", type: "text", read: ({ progress }) => progress },
];

/** Columns of `INSERT_WORK_ITEMS`. New items are due at once, and ready by default. */
export const NEW_ITEM_COLUMNS = [...KEY_COLUMNS, ...STATE_COLUMNS];

/**
 * For items that had no row when the batch read. A row that came meanwhile (the sweep, Enqueue) may be leased already: it keeps
 * its lease and only learns that one more pass is wanted. It may also come from another log, for the owner of a child there: then
 * either side may know the newer life of the key, or that it is pending.
 */
export const ON_ITEM_CONFLICT = `
    ON CONFLICT ON CONSTRAINT work_items_pkey DO UPDATE SET
      resource_id = greatest(work_items.resource_id, excluded.resource_id), shard_id = excluded.shard_id,
      wanted = work_items.wanted + excluded.wanted, due_at = least(work_items.due_at, excluded.due_at),
      priority = least(work_items.priority, excluded.priority), priority_shift = excluded.priority_shift, is_ready = true,
      reason = excluded.reason, message = excluded.message,
      is_pending = work_items.is_pending OR excluded.is_pending,
      pending_since = coalesce(work_items.pending_since, excluded.pending_since)`;

/** New items. */
export const INSERT_WORK_ITEMS: Statement = {
  name: "insert-work-items",
  text: `
    INSERT INTO work_items (${columnNames(NEW_ITEM_COLUMNS)})
    SELECT ${columnNames(NEW_ITEM_COLUMNS)} FROM ${unnestColumns(NEW_ITEM_COLUMNS)}
    ${ON_ITEM_CONFLICT}`,
};

/** Columns of `UPDATE_WORK_ITEMS`. */
export const CHANGED_ITEM_COLUMNS: readonly Column<WorkItem>[] = [
  ...KEY_COLUMNS,
  ...STATE_COLUMNS,
  ...PAST_COLUMNS,
  { name: "has_checkpoint", type: "boolean", read: ({ hasCheckpoint }) => hasCheckpoint },
  { name: "keeps_lease", type: "boolean", read: ({ lease }) => lease !== null },
];

const LEASE_COLUMNS = [
  "lease_token",
  "lease_session_id",
  "lease_resource_id",
  "lease_wanted",
  "leased_at",
  "lease_deadline",
];

/** What `WorkItemRow` names; a star would break the prepared statement of a running replica when a column is added. */
export const WORK_ITEM_COLUMNS = [
  ...[...NEW_ITEM_COLUMNS, ...PAST_COLUMNS].map(({ name }) => `w.${name}`),
  "w.checkpoint IS NOT NULL AS has_checkpoint",
  ...LEASE_COLUMNS.map((name) => `w.${name}`),
].join(", ");

/**
 * The items of keys $1..$4 (parallel arrays), of the owners those resources have, and of keys $5..$8, all locked in the order of
 * keys: the one lock order (2.5). The owners are found here because another statement could only lock theirs behind.
 * `is_session_live` is decided on the database clock.
 */
export const LOCK_WORK_ITEMS: Statement = {
  name: "lock-work-items",
  text: `
    WITH asked AS (
      SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (resource_group, kind, namespace, name)),
    wanted AS (
      SELECT * FROM asked
      UNION
      SELECT r.owner_group, r.owner_kind, r.namespace, r.owner_name
      FROM asked JOIN resources r USING (resource_group, kind, namespace, name) WHERE r.owner_uid IS NOT NULL
      UNION
      SELECT * FROM unnest($5::text[], $6::text[], $7::text[], $8::text[]))
    SELECT ${WORK_ITEM_COLUMNS}, coalesce(s.expires_at > clock_timestamp(), false) AS is_session_live
    FROM wanted JOIN work_items w USING (resource_group, kind, namespace, name)
    LEFT JOIN sessions s ON s.session_id = w.lease_session_id
    ORDER BY w.resource_group, w.kind, w.namespace, w.name
    FOR UPDATE OF w`,
};

/**
 * Whether the item takes part in the turns (0003): a batch is stamped before it is written, so what is due at its time is.
 * Without a due time it is leased, and the lease's end says.
 */
const IS_READY = "coalesce(x.due_at <= clock_timestamp(), true)";

/** Locked items. A batch may end a lease, never make or change one. */
export const UPDATE_WORK_ITEMS: Statement = {
  name: "update-work-items",
  text: `
    UPDATE work_items w SET
      ${[...STATE_COLUMNS, ...PAST_COLUMNS].map(({ name }) => `${name} = x.${name}`).join(", ")}, is_ready = ${IS_READY},
      checkpoint = CASE WHEN x.has_checkpoint THEN w.checkpoint END, lease_is_solo = x.keeps_lease AND w.lease_is_solo,
      ${LEASE_COLUMNS.map((name) => `${name} = CASE WHEN x.keeps_lease THEN w.${name} END`).join(", ")}
    FROM ${unnestColumns(CHANGED_ITEM_COLUMNS)}
    WHERE (w.resource_group, w.kind, w.namespace, w.name) = (x.resource_group, x.kind, x.namespace, x.name)`,
};

/**
 * $1..$4: the keys of resources that ended, and had no item when the batch read. One that Enqueue has made since is of no use any more.
 *
 * Behind the removal, which has waited for every Enqueue that made sure of the resource. An item that is locked still is one whose Enqueue
 * has that before it: it waits for this batch and takes the item back itself (TAKE_BACK_ENQUEUED), so waiting for it here
 * would be a deadlock.
 */
export const DELETE_ITEMS_OF_REMOVED: Statement = {
  name: "delete-items-of-removed",
  text: `
    WITH found AS MATERIALIZED (
      SELECT w.resource_group, w.kind, w.namespace, w.name FROM work_items w
      JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (resource_group, kind, namespace, name)
        ON (w.resource_group, w.kind, w.namespace, w.name) = (k.resource_group, k.kind, k.namespace, k.name)
      WHERE w.lease_token IS NULL FOR UPDATE OF w SKIP LOCKED)
    DELETE FROM work_items w USING found f
    WHERE (w.resource_group, w.kind, w.namespace, w.name) = (f.resource_group, f.kind, f.namespace, f.name)`,
};

/** $1..$4: the keys of locked items that are settled. */
export const DELETE_WORK_ITEMS: Statement = {
  name: "delete-work-items",
  text: `
    DELETE FROM work_items w
    USING unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (resource_group, kind, namespace, name)
    WHERE (w.resource_group, w.kind, w.namespace, w.name) = (k.resource_group, k.kind, k.namespace, k.name)`,
};
