import type { ResourceKey } from "../../resource/key.js";
import type { Owner } from "../../resource/owner.js";
import type { Resource } from "../../resource/resource.js";

/** What the cache says of a key: a resource, its end, or that it is too large to be kept here. */
export type CacheEntry =
  | { readonly state: "live"; readonly resource: Resource }
  | { readonly state: "gone" | "large"; readonly resource: Pick<Resource, "key" | "id" | "writeCount"> };

/** Larger resources are read from PostgreSQL: one of them costs Redis as much as hundreds of others. */
const MAX_BODY_CHARACTERS = 64 * 1024;

/** The entry for a stored resource. */
export function entryOf(resource: Resource): CacheEntry {
  const characters = (resource.specJson?.length ?? 0) + (resource.statusJson?.length ?? 0);
  return characters > MAX_BODY_CHARACTERS ? { state: "large", resource } : { state: "live", resource };
}

/** Everything but the key, the payloads and what orders entries; counters are strings, as JSON numbers would round. */
interface Meta {
  readonly uid: string;
  readonly shard: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly finalizers: readonly string[];
  /** Absent in entries that a program without owners wrote. */
  readonly owner?: Owner | null;
  readonly generation: string;
  readonly observed: string;
  readonly revision: string;
  readonly created: number;
  readonly updated: number;
  readonly deletionRequested: number | null;
}

/** The fields of an entry in Redis, after `id`, `writes` and `state`. */
export function encodeFields(entry: CacheEntry): readonly [meta: string, spec: string, status: string] {
  if (entry.state !== "live") return ["", "", ""];
  const { resource } = entry;
  const meta: Meta = {
    uid: resource.uid,
    shard: resource.shardId,
    labels: Object.fromEntries(resource.labels),
    annotations: Object.fromEntries(resource.annotations),
    finalizers: resource.finalizers,
    owner: resource.owner,
    generation: String(resource.generation),
    observed: String(resource.observedGeneration),
    revision: String(resource.revision),
    created: resource.createdAt.getTime(),
    updated: resource.updatedAt.getTime(),
    deletionRequested: resource.deletionRequestedAt?.getTime() ?? null,
  };
  // A JSON text is never empty, so an empty field says null.
  return [JSON.stringify(meta), resource.specJson ?? "", resource.statusJson ?? ""];
}

/** Reads an entry's fields in the order of `CACHE_FIELDS`; throws when `encodeFields` did not write them. */
export function decodeEntry(key: ResourceKey, fields: readonly (string | null)[]): CacheEntry {
  const [id, writes, state, metaText, spec, status] = fields;
  if (!id || !writes || !state || typeof metaText !== "string") throw new Error("incomplete cache entry");
  const order = { key, id: BigInt(id), writeCount: BigInt(writes) };
  if (state === "gone" || state === "large") return { state, resource: order };
  // Written by encodeFields only.
  const meta = JSON.parse(metaText) as Meta;
  const resource: Resource = {
    ...order,
    uid: meta.uid,
    shardId: meta.shard,
    labels: new Map(Object.entries(meta.labels)),
    annotations: new Map(Object.entries(meta.annotations)),
    finalizers: meta.finalizers,
    owner: meta.owner ?? null,
    specJson: spec || null,
    statusJson: status || null,
    generation: BigInt(meta.generation),
    observedGeneration: BigInt(meta.observed),
    revision: BigInt(meta.revision),
    createdAt: new Date(meta.created),
    updatedAt: new Date(meta.updated),
    deletionRequestedAt: meta.deletionRequested === null ? null : new Date(meta.deletionRequested),
  };
  return { state: "live", resource };
}

/** The names of the fields of an entry. */
export const CACHE_FIELDS = ["id", "writes", "state", "meta", "spec", "status"] as const;
