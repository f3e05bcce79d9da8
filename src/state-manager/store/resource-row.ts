import type { Resource } from "../../resource/resource.js";

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
  readonly finalizers: readonly string[];
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
  r.annotations, r.finalizers, r.spec, r.status, r.generation, r.observed_generation, r.revision, r.write_count,
  r.created_at, r.updated_at, r.deletion_requested_at`;

const NO_ENTRIES: ReadonlyMap<string, string> = new Map();

/** The resource a row holds. */
export function resourceFromRow(row: ResourceRow): Resource {
  return {
    key: { resourceGroup: row.resource_group, kind: row.kind, namespace: row.namespace, name: row.name },
    id: row.id,
    uid: row.uid,
    shardId: row.shard_id,
    labels: new Map(Object.entries(row.labels)),
    // Written by resourceToJson only, so a JSON object of strings.
    annotations: row.annotations === "{}" ? NO_ENTRIES : new Map(Object.entries(JSON.parse(row.annotations) as object)),
    finalizers: row.finalizers,
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

/** What of a resource a statement writes: a status write must not send spec (2.11). */
export type WrittenParts = "everything" | "desired" | "status";

/**
 * One element of the JSON array that set-based statements read with json_to_recordset. spec and status go in as the text
 * they are: json keeps a nested value's exact text, and nothing has to be escaped.
 */
export function resourceToJson(resource: Resource, log: number, parts: WrittenParts): string {
  const { key } = resource;
  const head = JSON.stringify({
    id: String(resource.id),
    resource_group: key.resourceGroup,
    kind: key.kind,
    namespace: key.namespace,
    name: key.name,
    uid: resource.uid,
    shard_id: resource.shardId,
    log_id: log,
    labels: Object.fromEntries(resource.labels),
    annotations: Object.fromEntries(resource.annotations),
    finalizers: resource.finalizers,
    generation: String(resource.generation),
    observed_generation: String(resource.observedGeneration),
    revision: String(resource.revision),
    write_count: String(resource.writeCount),
    created_at: resource.createdAt,
    updated_at: resource.updatedAt,
    deletion_requested_at: resource.deletionRequestedAt,
  });
  const spec = parts === "status" ? "" : `,"spec":${resource.specJson ?? "null"}`;
  const status = parts === "desired" ? "" : `,"status":${resource.statusJson ?? "null"}`;
  return `${head.slice(0, -1)}${spec}${status}}`;
}
