import type { Change } from "../../resource/change.js";
import type { Resource } from "../../resource/resource.js";

/** Keys, counters, dates and the objects' own overhead. */
const FIXED_BYTES = 600;
const ENTRY_BYTES = 80;

/**
 * About how much memory a resource takes, in bytes: payload lengths and a flat rate for the rest. Only limits are decided
 * by it (I9), so it must be cheap, not exact.
 */
export function resourceSize(resource: Resource): number {
  const entries = resource.labels.size + resource.annotations.size + resource.finalizers.length;
  return FIXED_BYTES + entries * ENTRY_BYTES + (resource.specJson?.length ?? 0) + (resource.statusJson?.length ?? 0);
}

/** The same of a change. */
export function changeSize(change: Change): number {
  return resourceSize(change.resource) + (change.previousLabels?.size ?? 0) * ENTRY_BYTES;
}
