import { isUnready } from "../../resource/conditions.js";
import type { Owner } from "../../resource/owner.js";
import type { Resource, StringMap } from "../../resource/resource.js";
import { entriesText } from "../../resource/resource-meta.js";
import type { Scalar } from "./array-parameter.js";
import type { Column } from "./columns.js";

/** A row of `resources`, as the driver parses it. */
export interface ResourceRow {
  readonly id: bigint;
  readonly resource_group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly shard_id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** json, so its text. */
  readonly annotations: string;
  /** json, so its text. */
  readonly finalizers: string;
  readonly owner_uid: string | null;
  readonly owner_group: string;
  readonly owner_kind: string;
  readonly owner_name: string;
  readonly spec: string | null;
  readonly status: string | null;
  readonly generation: bigint;
  readonly observed_generation: bigint;
  readonly revision: bigint;
  readonly write_count: bigint;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly deletion_requested_at: Date | null;
}

/** The columns of `ResourceRow`, for SELECT lists; `r` is the table's alias. */
export const RESOURCE_COLUMNS = `r.id, r.resource_group, r.kind, r.namespace, r.name, r.uid, r.shard_id, r.labels,
  r.annotations, r.finalizers, r.owner_uid, r.owner_group, r.owner_kind, r.owner_name, r.spec, r.status, r.generation,
  r.observed_generation, r.revision, r.write_count, r.created_at, r.updated_at, r.deletion_requested_at`;

const NO_ENTRIES: StringMap = new Map();
const NO_FINALIZERS: readonly string[] = [];

/** The resource a row holds. */
export function resourceFromRow(row: ResourceRow): Resource {
  return {
    key: { resourceGroup: row.resource_group, kind: row.kind, namespace: row.namespace, name: row.name },
    id: row.id,
    uid: row.uid,
    shardId: row.shard_id,
    labels: new Map(Object.entries(row.labels)),
    // Written through METADATA_COLUMNS only, so a JSON object of strings and a JSON array of strings.
    annotations: row.annotations === "{}" ? NO_ENTRIES : new Map(Object.entries(JSON.parse(row.annotations) as object)),
    finalizers: row.finalizers === "[]" ? NO_FINALIZERS : (JSON.parse(row.finalizers) as string[]),
    owner: ownerFromRow(row),
    specJson: row.spec,
    statusJson: row.status,
    generation: row.generation,
    observedGeneration: row.observed_generation,
    revision: row.revision,
    writeCount: row.write_count,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    deletionRequestedAt: row.deletion_requested_at,
  };
}

/** The owner a row names; the columns are null together: constraint resources_owner_is_whole. */
export function ownerFromRow(
  row: Pick<ResourceRow, "owner_uid" | "owner_group" | "owner_kind" | "owner_name">,
): Owner | null {
  if (row.owner_uid === null) return null;
  return { resourceGroup: row.owner_group, kind: row.owner_kind, name: row.owner_name, uid: row.owner_uid };
}

/** A resource and the log its shard hashes to. */
export interface PlacedResource {
  readonly resource: Resource;
  readonly log: number;
}

type ResourceColumn = Column<PlacedResource>;

function column(name: string, type: string, read: (resource: Resource) => Scalar): ResourceColumn {
  return { name, type, read: ({ resource }) => read(resource) };
}

/** What never changes while the key lives. */
export const IDENTITY_COLUMNS: readonly ResourceColumn[] = [
  column("resource_group", "text", ({ key }) => key.resourceGroup),
  column("kind", "text", ({ key }) => key.kind),
  column("namespace", "text", ({ key }) => key.namespace),
  column("name", "text", ({ key }) => key.name),
  column("uid", "uuid", ({ uid }) => uid),
  column("created_at", "timestamptz", ({ createdAt }) => createdAt),
];

export const ID_COLUMN: ResourceColumn = column("id", "bigint", ({ id }) => id);

/** What every write may change, payloads apart. */
export const METADATA_COLUMNS: readonly ResourceColumn[] = [
  column("shard_id", "text", ({ shardId }) => shardId),
  { name: "log_id", type: "smallint", read: ({ log }) => log },
  column("labels", "jsonb", ({ labels }) => entriesText(labels)),
  column("annotations", "json", ({ annotations }) => entriesText(annotations)),
  column("finalizers", "json", ({ finalizers }) => (finalizers.length === 0 ? "[]" : JSON.stringify(finalizers))),
  column("owner_uid", "uuid", ({ owner }) => owner?.uid ?? null),
  column("owner_group", "text", ({ owner }) => owner?.resourceGroup ?? null),
  column("owner_kind", "text", ({ owner }) => owner?.kind ?? null),
  column("owner_name", "text", ({ owner }) => owner?.name ?? null),
  column("generation", "bigint", ({ generation }) => generation),
  column("observed_generation", "bigint", ({ observedGeneration }) => observedGeneration),
  column("revision", "bigint", ({ revision }) => revision),
  column("write_count", "bigint", ({ writeCount }) => writeCount),
  column("bytes", "integer", payloadBytes),
  column("updated_at", "timestamptz", ({ updatedAt }) => updatedAt),
  column("deletion_requested_at", "timestamptz", ({ deletionRequestedAt }) => deletionRequestedAt),
];

export const SPEC_COLUMN: ResourceColumn = column("spec", "json", ({ specJson }) => specJson);
/** The status, and what is counted of it. */
export const STATUS_COLUMNS: readonly ResourceColumn[] = [
  column("status", "json", ({ statusJson }) => statusJson),
  column("is_unready", "boolean", ({ statusJson }) => isUnready(statusJson)),
];

/** The bytes of what may be large in a resource. */
export function payloadBytes({ specJson, statusJson, labels, annotations }: Resource): number {
  let bytes = Buffer.byteLength(specJson ?? "") + Buffer.byteLength(statusJson ?? "");
  for (const entries of [labels, annotations]) {
    for (const [key, value] of entries) bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  return bytes;
}
