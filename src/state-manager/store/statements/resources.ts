import type { Statement } from "../database.js";
import { RESOURCE_COLUMNS } from "../resource-row.js";

/** $1..$4: the parts of the keys, in parallel arrays. */
export const READ_RESOURCES_BY_KEY: Statement = {
  name: "read-resources-by-key",
  text: `
    SELECT ${RESOURCE_COLUMNS}
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (resource_group, kind, namespace, name)
    JOIN resources r USING (resource_group, kind, namespace, name)`,
};

/** Which log holds each key, to lock the right head. $1..$4 as above. */
export const READ_LOGS_BY_KEY: Statement = {
  name: "read-logs-by-key",
  text: `
    SELECT r.resource_group, r.kind, r.namespace, r.name, r.log_id
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (resource_group, kind, namespace, name)
    JOIN resources r USING (resource_group, kind, namespace, name)`,
};

/** $1: JSON array of `resourceToJson(…, "everything")`. */
export const INSERT_RESOURCES: Statement = {
  name: "insert-resources",
  text: `
    INSERT INTO resources (id, resource_group, kind, namespace, name, uid, shard_id, log_id, labels, annotations, finalizers,
      spec, status, generation, observed_generation, revision, write_count, created_at, updated_at, deletion_requested_at)
    SELECT * FROM json_to_recordset($1::json) AS x (id bigint, resource_group text, kind text, namespace text, name text,
      uid uuid, shard_id text, log_id smallint, labels jsonb, annotations json, finalizers text[], spec json, status json,
      generation bigint, observed_generation bigint, revision bigint, write_count bigint, created_at timestamptz,
      updated_at timestamptz, deletion_requested_at timestamptz)`,
};

const METADATA_ASSIGNMENTS = `shard_id = x.shard_id, log_id = x.log_id, labels = x.labels, annotations = x.annotations,
  finalizers = x.finalizers, generation = x.generation, observed_generation = x.observed_generation,
  revision = x.revision, write_count = x.write_count, updated_at = x.updated_at,
  deletion_requested_at = x.deletion_requested_at`;

const METADATA_TYPES = `id bigint, shard_id text, log_id smallint, labels jsonb, annotations json, finalizers text[],
  generation bigint, observed_generation bigint, revision bigint, write_count bigint, updated_at timestamptz,
  deletion_requested_at timestamptz`;

/** $1: JSON array of `resourceToJson(…, "everything")`. */
export const UPDATE_RESOURCES: Statement = {
  name: "update-resources",
  text: `
    UPDATE resources r SET spec = x.spec, status = x.status, ${METADATA_ASSIGNMENTS}
    FROM json_to_recordset($1::json) AS x (spec json, status json, ${METADATA_TYPES}) WHERE r.id = x.id`,
};

/** $1: JSON array of `resourceToJson(…, "desired")`: the stored status is not touched. */
export const UPDATE_RESOURCES_DESIRED: Statement = {
  name: "update-resources-desired",
  text: `
    UPDATE resources r SET spec = x.spec, ${METADATA_ASSIGNMENTS}
    FROM json_to_recordset($1::json) AS x (spec json, ${METADATA_TYPES}) WHERE r.id = x.id`,
};

/** $1: JSON array of `resourceToJson(…, "status")`: the stored spec is not sent, nor rewritten when it is out of line. */
export const UPDATE_RESOURCES_STATUS: Statement = {
  name: "update-resources-status",
  text: `
    UPDATE resources r SET status = x.status, ${METADATA_ASSIGNMENTS}
    FROM json_to_recordset($1::json) AS x (status json, ${METADATA_TYPES}) WHERE r.id = x.id`,
};

/** $1: ids. */
export const DELETE_RESOURCES: Statement = {
  name: "delete-resources",
  text: "DELETE FROM resources WHERE id = ANY ($1::bigint[])",
};
