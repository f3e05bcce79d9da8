import type { Owner } from "../../resource/owner.js";
import type { Resource } from "../../resource/resource.js";
import { entriesText } from "../../resource/resource-meta.js";

/**
 * The `/api/v1` JSON of a resource, as one string around the stored texts of spec and status (2.10): nothing is parsed, so
 * key order and numbers come back as they were written.
 *
 * Generation is called `version` and observed generation `current_version` here. Counters are JSON numbers.
 */
export function resourceJson(resource: Resource): string {
  const { key } = resource;
  return (
    `{"resource_group":${JSON.stringify(key.resourceGroup)},"kind":${JSON.stringify(key.kind)}` +
    `,"namespace":${JSON.stringify(key.namespace)},"name":${JSON.stringify(key.name)},"uid":"${resource.uid}"` +
    `,"shard_id":${JSON.stringify(resource.shardId)}` +
    `,"labels":${entriesText(resource.labels)}` +
    `,"annotations":${resource.annotations.size === 0 ? "null" : entriesText(resource.annotations)}` +
    `,"finalizers":${resource.finalizers.length === 0 ? "null" : JSON.stringify(resource.finalizers)}` +
    `,"owner":${resource.owner === null ? "null" : ownerJson(resource.owner)}` +
    `,"created_at":"${resource.createdAt.toISOString()}","updated_at":"${resource.updatedAt.toISOString()}"` +
    `,"deletion_timestamp":${timeJson(resource.deletionRequestedAt)}` +
    `,"version":${resource.generation},"current_version":${resource.observedGeneration},"revision":${resource.revision}` +
    `,"write_count":${resource.writeCount}` +
    `,"spec":${resource.specJson ?? "null"},"status":${resource.statusJson ?? "null"}}`
  );
}

function ownerJson({ resourceGroup, kind, name, uid }: Owner): string {
  return JSON.stringify({ resource_group: resourceGroup, kind, name, uid });
}

function timeJson(time: Date | null): string {
  return time === null ? "null" : `"${time.toISOString()}"`;
}
