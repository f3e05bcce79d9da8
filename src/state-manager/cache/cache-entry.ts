import type { ResourceKey } from "../../resource/key.js";
import type { Resource } from "../../resource/resource.js";
import { describedBy, metaMembers, type ResourceMeta } from "../../resource/resource-meta.js";

/** What the cache says of a key: a resource, its end, or that it is too large to be kept here, alone or with others. */
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

interface Meta extends ResourceMeta {
  readonly revision: string;
}

/** The fields of an entry in Redis, after `id`, `writes` and `state`. */
export function encodeFields(entry: CacheEntry): readonly [meta: string, spec: string, status: string] {
  if (entry.state !== "live") return ["", "", ""];
  const { resource } = entry;
  const meta = `{"revision":"${resource.revision}",${metaMembers(resource)}}`;
  // A JSON text is never empty, so an empty field says null.
  return [meta, resource.specJson ?? "", resource.statusJson ?? ""];
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
    specJson: spec || null,
    statusJson: status || null,
    revision: BigInt(meta.revision),
    ...order,
    ...describedBy(meta),
  };
  return { state: "live", resource };
}

/** The names of the fields of an entry. */
export const CACHE_FIELDS = ["id", "writes", "state", "meta", "spec", "status"] as const;
