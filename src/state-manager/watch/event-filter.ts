import type { Change } from "../../resource/change.js";
import { matchesSelector } from "../../resource/label-selector.js";
import type { Resource, StringMap } from "../../resource/resource.js";
import type { ResourceFilter } from "../../resource/resource-filter.js";
import type { WatchEvent } from "./watch.js";

/**
 * What a watcher with `filter` sees of a change; undefined when nothing. Decided on the event alone (2.7; table in SPEC.md).
 *
 * `hasBefore`: whether the watcher was sent the state before the change, provided that state matched. False only while an
 * initial state is replayed.
 */
export function toWatchEvent(filter: ResourceFilter, change: Change, hasBefore = true): WatchEvent | undefined {
  if (!matchesFields(filter, change.resource)) return undefined;
  const { previousLabels, previousOwnerUid } = change;
  const before =
    hasBefore &&
    previousLabels !== null &&
    matchesLabels(filter, previousLabels) &&
    matchesOwner(filter, previousOwnerUid);
  const after =
    change.type !== "DELETED" &&
    matchesLabels(filter, change.resource.labels) &&
    matchesOwner(filter, change.resource.owner?.uid ?? null);
  if (!before && !after) return undefined;
  const { resource, revision, movedTo } = change;
  return { type: after ? (before ? "MODIFIED" : "ADDED") : "DELETED", resource, revision, movedTo, change };
}

/** A text equal for equal filters: watchers of one filter share their batches. */
export function filterId(filter: ResourceFilter): string {
  const { resourceGroup, kind, namespace, name, shardId, ownerUid, labels } = filter;
  const requirements = labels?.requirements.map(({ key, values }) => [key, ...values]) ?? [];
  return JSON.stringify(
    [resourceGroup, kind, namespace, name, shardId, ownerUid, requirements].map((part) => part ?? null),
  );
}

/** None of these fields changes in the life of a resource within its shard, so before and after need not be told apart. */
function matchesFields(filter: ResourceFilter, { key, shardId }: Resource): boolean {
  return (
    (filter.kind === undefined || filter.kind === key.kind) &&
    (filter.resourceGroup === undefined || filter.resourceGroup === key.resourceGroup) &&
    (filter.namespace === undefined || filter.namespace === key.namespace) &&
    (filter.name === undefined || filter.name === key.name) &&
    (filter.shardId === undefined || filter.shardId === shardId)
  );
}

/** An owner changes as labels do: adopting is entering the filter, and losing the owner leaving it. */
function matchesOwner(filter: ResourceFilter, ownerUid: string | null): boolean {
  return filter.ownerUid === undefined || filter.ownerUid === ownerUid;
}

function matchesLabels(filter: ResourceFilter, labels: StringMap): boolean {
  return filter.labels === undefined || matchesSelector(filter.labels, labels);
}
