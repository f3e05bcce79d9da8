import { isLosslessNumber } from "lossless-json";
import diff from "microdiff";
import type { ClientResource } from "../client/index.js";
import { sameNumber } from "../resource/same-number.js";
import { parseExact } from "./exact.js";
import { splitStatus } from "./split-status.js";

/** One field in which two states of a resource differ. */
export interface FieldChange {
  /** For example `spec.ports[0]`. */
  readonly path: string;
  /** Undefined: the field is new. */
  readonly before: unknown;
  /** Undefined: the field is gone. */
  readonly after: unknown;
}

/** What differs between two states of a resource, apart from the counters that every write changes. */
export function fieldChanges(before: ClientResource, after: ClientResource): readonly FieldChange[] {
  return diff(comparable(before), comparable(after)).map((change) => ({
    path: change.path.map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`)).join(""),
    before: change.type === "CREATE" ? undefined : change.oldValue,
    after: change.type === "REMOVE" ? undefined : change.value,
  }));
}

/** The same in words: `spec.port: 8080 → 8090`. */
export function describeChanges(before: ClientResource, after: ClientResource): readonly string[] {
  return fieldChanges(before, after).map((change) => {
    if (change.before === undefined) return `${change.path}: + ${short(change.after)}`;
    if (change.after === undefined) return `${change.path}: - ${short(change.before)}`;
    return `${change.path}: ${short(change.before)} → ${short(change.after)}`;
  });
}

function comparable(resource: ClientResource): Record<string, unknown> {
  const { shardId, labels, annotations, finalizers, owner, observedGeneration, deletionRequestedAt } = resource;
  const { conditions, rest } = splitStatus(plain(parseExact(resource.statusJson)));
  return {
    shard: shardId,
    labels: Object.fromEntries(labels),
    annotations: Object.fromEntries(annotations),
    finalizers: Object.fromEntries(finalizers.map((finalizer) => [finalizer, "held"])),
    owner,
    spec: plain(parseExact(resource.specJson)),
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

/** Numbers as JavaScript's, or as text where that would round them and hide a difference. */
function plain(value: unknown): unknown {
  if (isLosslessNumber(value)) {
    const number = Number(value.value);
    return sameNumber(String(number), value.value) ? number : value.value;
  }
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
}

const SHORT_MAX_CHARACTERS = 60;

function short(value: unknown): string {
  const json = JSON.stringify(value) ?? "nothing";
  const text = typeof value === "string" ? json.slice(1, -1) : json;
  return text.length <= SHORT_MAX_CHARACTERS ? text : `${text.slice(0, SHORT_MAX_CHARACTERS - 1)}…`;
}
