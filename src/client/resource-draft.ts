import type { ResourceKey } from "../resource/key.js";
import type { ResourceOwner } from "./client-resource.js";
import { jsonText } from "./json-value.js";

/** Names an owner in a write; without `uid` whoever has the name now is meant. */
export type OwnerReference = Omit<ResourceOwner, "uid"> & Partial<Pick<ResourceOwner, "uid">>;

/**
 * The desired state to write. `spec` must be a JSON value: what JSON.stringify would turn into something else (a Map, a Date, NaN) is
 * refused with its path. `specJson` is written as it is.
 */
export interface ResourceDraft {
  readonly key: ResourceKey;
  /** Defaults to `default`. */
  readonly shardId?: string;
  readonly labels?: ReadonlyMap<string, string>;
  readonly annotations?: ReadonlyMap<string, string>;
  readonly finalizers?: readonly string[];
  /** The resource of the same namespace that it belongs to; null: none. Left out: as it is stored. */
  readonly owner?: OwnerReference | null;
  readonly spec?: unknown;
  readonly specJson?: string;
}

/** What the writer saw; the write is refused (`isConflict`) when something else is stored. */
export interface WriteGuard {
  readonly revision?: bigint;
  readonly generation?: bigint;
  readonly uid?: string;
}

/** How a write is done. */
export interface WriteOptions {
  /** Decide, check and answer as always, but write nothing; default: false. What would be created has no uid yet. */
  readonly dryRun?: boolean;
}

/** How the wire says that a resource has no owner: unset would leave the stored one. */
const NO_OWNER = { resourceGroup: "", kind: "", name: "", uid: "" };

/** The draft for the wire. */
export function writeDraft(draft: ResourceDraft) {
  const { owner } = draft;
  const { key, shardId = "default", labels = [], annotations = [], finalizers = [], spec = null } = draft;
  return {
    key,
    shardId,
    labels: Object.fromEntries(labels),
    annotations: Object.fromEntries(annotations),
    finalizers: [...finalizers],
    ...(owner !== undefined && { owner: owner ?? NO_OWNER }),
    specJson: draft.specJson ?? jsonText("spec", spec),
  };
}

/** The guard and the options for the wire. */
export function writeTerms({ revision, generation, uid, dryRun = false }: WriteGuard & WriteOptions) {
  return {
    ...(revision !== undefined && { expectedRevision: revision }),
    ...(generation !== undefined && { expectedGeneration: generation }),
    ...(uid !== undefined && { expectedUid: uid }),
    dryRun,
  };
}
