import type { DeletionPropagation } from "../../../resource/command.js";
import type { ResourceKey } from "../../../resource/key.js";
import { type Column, columnNames, unnestColumns } from "../columns.js";
import type { Statement } from "../database.js";

/** An owner on its way out, and how its children are dealt with. */
export interface Ending {
  /** Of the row of `resources`. */
  readonly id: bigint;
  readonly key: ResourceKey;
  readonly uid: string;
  readonly propagation: DeletionPropagation;
}

/** Columns of `ADD_COLLECTIONS`. */
export const COLLECTION_COLUMNS: readonly Column<Ending>[] = [
  { name: "owner_uid", type: "uuid", read: ({ uid }) => uid },
  { name: "resource_group", type: "text", read: ({ key }) => key.resourceGroup },
  { name: "kind", type: "text", read: ({ key }) => key.kind },
  { name: "namespace", type: "text", read: ({ key }) => key.namespace },
  { name: "name", type: "text", read: ({ key }) => key.name },
  { name: "mode", type: "text", read: ({ propagation }) => propagation },
];

/**
 * Remembers whose children are to be dealt with. Run it after the owners were updated or deleted: only then no further child
 * can come, so nothing is written for the many that have none.
 */
export const ADD_COLLECTIONS: Statement = {
  name: "add-collections",
  text: `
    INSERT INTO collections (${columnNames(COLLECTION_COLUMNS)}, due_at)
    SELECT ${columnNames(COLLECTION_COLUMNS)}, clock_timestamp() FROM ${unnestColumns(COLLECTION_COLUMNS)}
    WHERE x.mode <> 'BACKGROUND' OR EXISTS (SELECT FROM resources c WHERE c.owner_uid = x.owner_uid)
    ON CONFLICT DO NOTHING`,
};

/** $1: uids of owners that wait for their children and need a look. Locked in order: other logs may do the same. */
export const WAKE_COLLECTIONS: Statement = {
  name: "wake-collections",
  text: `
    WITH woken AS MATERIALIZED (
      SELECT owner_uid FROM collections WHERE owner_uid = ANY ($1::uuid[]) ORDER BY owner_uid FOR UPDATE)
    UPDATE collections c SET due_at = clock_timestamp() FROM woken WHERE c.owner_uid = woken.owner_uid`,
};

/** A collection taken on. */
export interface ClaimedRow {
  readonly owner_uid: string;
  readonly resource_group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly mode: DeletionPropagation;
}

/** How long a replica that took on a collection has it for itself; each page renews it. */
const CLAIM = "interval '5 seconds'";

/** $1 most: takes on what is due. A replica that dies leaves it to be due again. */
export const CLAIM_COLLECTIONS: Statement = {
  name: "claim-collections",
  text: `
    WITH due AS MATERIALIZED (
      SELECT owner_uid FROM collections WHERE due_at <= (SELECT clock_timestamp())
      ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
    UPDATE collections c SET due_at = clock_timestamp() + ${CLAIM} FROM due WHERE c.owner_uid = due.owner_uid
    RETURNING c.owner_uid, c.resource_group, c.kind, c.namespace, c.name, c.mode`,
};

/** A child to be dealt with. */
export interface ChildRow {
  readonly id: bigint;
  readonly resource_group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly has_children: boolean;
}

/** $1 owner's uid, $2 id to go on after, $3 most, $4 whether those already on their way out count too. Renews the claim. */
export const CHILDREN_PAGE: Statement = {
  name: "children-page",
  text: `
    WITH renewed AS (
      UPDATE collections SET due_at = clock_timestamp() + ${CLAIM} WHERE owner_uid = $1::uuid)
    SELECT r.id, r.resource_group, r.kind, r.namespace, r.name, r.uid,
      EXISTS (SELECT FROM resources c WHERE c.owner_uid = r.uid) AS has_children
    FROM resources r
    WHERE r.owner_uid = $1::uuid AND r.id > $2::bigint AND ($4::boolean OR r.deletion_requested_at IS NULL)
    ORDER BY r.id LIMIT $3`,
};

/** What is left of a collection whose children were walked through. */
export interface RestRow {
  readonly has_children: boolean;
  /** Whether the owner is still there, and held by the finalizer. */
  readonly is_held: boolean;
  /** The text of its due time: a wake since then shows as another one. */
  readonly due_at: string;
}

/** $1 owner's uid, $2 finalizer. In a statement of its own after the last renewal, which could undo the wake of a child that goes just then. */
export const READ_REST: Statement = {
  name: "read-rest",
  text: `
    SELECT EXISTS (SELECT FROM resources r WHERE r.owner_uid = c.owner_uid) AS has_children,
      EXISTS (SELECT FROM resources o
        WHERE (o.resource_group, o.kind, o.namespace, o.name) = (c.resource_group, c.kind, c.namespace, c.name)
          AND o.uid = c.owner_uid AND o.finalizers::jsonb ? $2::text) AS is_held,
      c.due_at::text
    FROM collections c WHERE c.owner_uid = $1::uuid`,
};

/** $1 owner's uid, $2 due time as read, $3 seconds: looks again later, unless a child went meanwhile. */
export const POSTPONE_COLLECTION: Statement = {
  name: "postpone-collection",
  text: `
    UPDATE collections SET due_at = clock_timestamp() + $3::integer * interval '1 second'
    WHERE owner_uid = $1::uuid AND due_at = $2::timestamptz`,
};

/** $1 owner's uid: everything is done. */
export const END_COLLECTION: Statement = {
  name: "end-collection",
  text: "DELETE FROM collections WHERE owner_uid = $1::uuid",
};
