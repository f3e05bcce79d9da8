import diff from "microdiff";
import type { ClientResource } from "../../client/index.js";
import { splitStatus } from "./split-status.js";

/** What differs between two states of a resource, field by field: `spec.port: 8080 → 8090`. */
export function describeChanges(before: ClientResource, after: ClientResource): readonly string[] {
  return diff(comparable(before), comparable(after)).map((change) => {
    const path = change.path
      .map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`))
      .join("");
    if (change.type === "CREATE") return `${path}: + ${short(change.value)}`;
    if (change.type === "REMOVE") return `${path}: - ${short(change.oldValue)}`;
    return `${path}: ${short(change.oldValue)} → ${short(change.value)}`;
  });
}

function comparable(resource: ClientResource): Record<string, unknown> {
  const { shardId, labels, annotations, finalizers, owner, spec, observedGeneration, deletionRequestedAt } = resource;
  const { conditions, rest } = splitStatus(resource.status);
  return {
    shard: shardId,
    labels: Object.fromEntries(labels),
    annotations: Object.fromEntries(annotations),
    finalizers: Object.fromEntries(finalizers.map((finalizer) => [finalizer, "held"])),
    owner,
    spec,
    status: rest,
    ...Object.fromEntries(
      conditions.map(({ type, status, reason, message }) => [
        type,
        [[status, reason].join(" ").trim(), message].filter((text) => text !== "").join(": "),
      ]),
    ),
    observed_generation: String(observedGeneration),
    deletion_requested_at: deletionRequestedAt?.toISOString(),
  };
}

const SHORT_MAX_CHARACTERS = 60;

function short(value: unknown): string {
  const json = JSON.stringify(value) ?? "nothing";
  const text = typeof value === "string" ? json.slice(1, -1) : json;
  return text.length <= SHORT_MAX_CHARACTERS ? text : `${text.slice(0, SHORT_MAX_CHARACTERS - 1)}…`;
}
