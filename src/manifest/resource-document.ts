import type { ClientResource } from "../client/index.js";
import { sameJson } from "../resource/same-json.js";
import { parseExact, stringifyExact } from "./exact.js";

/** A resource as people write it: what `edit` opens, `diff` compares and `apply` reads. What is empty is left out. */
export function manifestOf(resource: ClientResource): Record<string, unknown> {
  const { key, shardId, labels, annotations, finalizers, owner } = resource;
  return {
    group: key.resourceGroup,
    kind: key.kind,
    namespace: key.namespace,
    name: key.name,
    ...(shardId !== "default" && { shard: shardId }),
    ...(owner !== undefined && { owner: { group: owner.resourceGroup, kind: owner.kind, name: owner.name } }),
    ...(labels.size > 0 && { labels: sorted(labels) }),
    ...(annotations.size > 0 && { annotations: sorted(annotations) }),
    ...(finalizers.length > 0 && { finalizers }),
    spec: parseExact(resource.specJson),
  };
}

/** Whether two states of a resource have the same manifest, by value: in whatever order keys stand. */
export function sameManifest(a: ClientResource, b: ClientResource): boolean {
  return sameJson(stringifyExact(manifestOf(a)), stringifyExact(manifestOf(b)));
}

/** The manifest and what the server and the reconciler say: what `get -o yaml` shows. `apply` leaves these fields unread. */
export function documentOf(resource: ClientResource): Record<string, unknown> {
  return {
    ...manifestOf(resource),
    status: parseExact(resource.statusJson),
    uid: resource.uid,
    generation: resource.generation,
    observed_generation: resource.observedGeneration,
    revision: resource.revision,
    created_at: resource.createdAt.toISOString(),
    updated_at: resource.updatedAt.toISOString(),
    ...(resource.deletionRequestedAt && { deletion_requested_at: resource.deletionRequestedAt.toISOString() }),
  };
}

/** The fields that only documentOf has. */
export const READ_ONLY_FIELDS: ReadonlySet<string> = new Set([
  ...["status", "uid", "generation", "observed_generation", "revision"],
  ...["created_at", "updated_at", "deletion_requested_at"],
]);

function sorted(map: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}
