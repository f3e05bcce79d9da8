import { OWNER_LEVELS_MAX } from "../../../resource/owner.js";
import { PRIORITY_ANNOTATION } from "../../../resource/work-priority.js";
import type { Statement } from "../database.js";
import type { ResourceRow } from "../resource-row.js";

/** What is read of an owner: its payloads may be large and say nothing about ownership. */
export type OwnerRow = Pick<
  ResourceRow,
  | "id"
  | "resource_group"
  | "kind"
  | "namespace"
  | "name"
  | "uid"
  | "shard_id"
  | "finalizers"
  | "owner_uid"
  | "owner_group"
  | "owner_kind"
  | "owner_name"
  | "generation"
  | "observed_generation"
  | "deletion_requested_at"
> & {
  /** The annotation that orders its passes; the others may be large. */
  readonly priority: string | null;
};

const OWNER_COLUMNS = `r.id, r.resource_group, r.kind, r.namespace, r.name, r.uid, r.shard_id, r.finalizers, r.owner_uid,
  r.owner_group, r.owner_kind, r.owner_name, r.generation, r.observed_generation, r.deletion_requested_at`;

const PRIORITY = `r.annotations ->> '${PRIORITY_ANNOTATION}' AS priority`;

const BY_KEY = `
    SELECT ${OWNER_COLUMNS}, ${PRIORITY}
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (resource_group, kind, namespace, name)
    JOIN resources r USING (resource_group, kind, namespace, name)`;

/** $1..$4: the parts of the keys, in parallel arrays. */
export const READ_OWNERS: Statement = { name: "read-owners", text: BY_KEY };

/**
 * The same, locked in the order of keys against removal, and against the request for deletion (`LOCK_ENDING`); every other
 * write of an owner passes.
 */
export const LOCK_OWNERS: Statement = {
  name: "lock-owners",
  text: `${BY_KEY} ORDER BY r.resource_group, r.kind, r.namespace, r.name FOR KEY SHARE OF r`,
};

/** $1: ids of resources whose deletion this batch requests or carries out, so that whoever takes one as owner is done first. */
export const LOCK_ENDING: Statement = {
  name: "lock-ending",
  text: `
    SELECT FROM resources r WHERE r.id = ANY ($1::bigint[])
    ORDER BY r.resource_group, r.kind, r.namespace, r.name FOR UPDATE`,
};

/** Adoptions of all logs, one transaction at a time. */
export const LOCK_ADOPTIONS: Statement = {
  name: "lock-adoptions",
  text: "SELECT pg_advisory_xact_lock(hashtext('reconcile.owners.adoptions'))",
};

/** $1..$4 as above: the resources and the owners above each, as many levels as an adoption may walk. */
export const READ_ANCESTORS: Statement = {
  name: "read-ancestors",
  text: `
    WITH RECURSIVE above AS (
      SELECT o.*, 1 AS level FROM (${BY_KEY}) o
      UNION ALL
      SELECT ${OWNER_COLUMNS}, ${PRIORITY}, a.level + 1 FROM above a
      JOIN resources r ON (r.resource_group, r.kind, r.namespace, r.name)
          = (a.owner_group, a.owner_kind, a.namespace, a.owner_name) AND r.uid = a.owner_uid
      WHERE a.level < ${OWNER_LEVELS_MAX})
    SELECT ${OWNER_COLUMNS}, r.priority FROM above r`,
};
