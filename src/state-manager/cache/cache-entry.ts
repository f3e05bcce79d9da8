import type { ResourceKey } from "../../resource/key.js";
import type { Resource } from "../../resource/resource.js";
import { describedBy, metaMembers, type ResourceMeta } from "../../resource/resource-meta.js";

/**
 * The fields of an entry in Redis. `id` and `writes` are its place in the order of the key's states; the others are missing when
 * that state is not here to be read.
 */
export const CACHE_FIELDS = ["id", "writes", "meta", "spec", "status"] as const;

/** Larger resources are read from PostgreSQL: one of them costs Redis as much as hundreds of others. */
const MAX_BODY_CHARACTERS = 64 * 1024;

interface Meta extends ResourceMeta {
  readonly revision: string;
}

/** The values of an entry's fields, or undefined for a resource that is not kept here. */
export function encodeEntry(resource: Resource): readonly string[] | undefined {
  const { id, writeCount, revision, specJson, statusJson } = resource;
  if ((specJson?.length ?? 0) + (statusJson?.length ?? 0) > MAX_BODY_CHARACTERS) return undefined;
  const meta = `{"revision":"${revision}",${metaMembers(resource)}}`;
  // A JSON text is never empty, so an empty field says null.
  return [String(id), String(writeCount), meta, specJson ?? "", statusJson ?? ""];
}

/** The resource in the values of an entry's fields, if it is there to be read; throws when `encodeEntry` did not write them. */
export function decodeEntry(key: ResourceKey, fields: readonly (string | null)[]): Resource | undefined {
  const [id, writes, metaText, spec, status] = fields;
  if (typeof metaText !== "string") return undefined;
  if (!id || !writes) throw new Error("incomplete cache entry");
  // Written by encodeEntry only.
  const meta = JSON.parse(metaText) as Meta;
  return {
    key,
    id: BigInt(id),
    writeCount: BigInt(writes),
    revision: BigInt(meta.revision),
    specJson: spec || null,
    statusJson: status || null,
    ...describedBy(meta),
  };
}
