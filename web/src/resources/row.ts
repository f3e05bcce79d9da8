import type { ClientResource } from "../../../src/client/client-resource.js";
import { findCondition } from "../../../src/controlloop/conditions.js";
import type { Tone } from "../elements/tone.js";

/** What the table holds of a resource: no more, because it holds very many. */
export interface Row {
  readonly uid: string;
  readonly resourceGroup: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly shardId: string;
  readonly generation: number;
  readonly observedGeneration: number;
  readonly writeCount: bigint;
  /** Milliseconds since 1970, as all times. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly state: RowState;
  /** What the condition Ready says; empty when there is none. */
  readonly message: string;
  /** When a change of it was seen, on the clock of performance.now(); 0 for what was there when the table was filled. */
  readonly seenAt: number;
}

/** How a resource does, in the order in which it calls for attention. */
export type RowState = keyof typeof ROW_STATES;

/** In words, and the word's tone. */
export const ROW_STATES = {
  deleting: { text: "Deleting", tone: "warn" },
  "not-ready": { text: "Not ready", tone: "bad" },
  pending: { text: "Pending", tone: "calm" },
  ready: { text: "Ready", tone: "good" },
  settled: { text: "Settled", tone: "calm" },
} as const satisfies Readonly<Record<string, { readonly text: string; readonly tone: Tone }>>;

const NAMES = new Map<string, string>();
const NAMES_MAX = 10_000;

/** Takes from a resource what the table shows. */
export function toRow(resource: ClientResource, seenAt: number): Row {
  const { key } = resource;
  const ready = findCondition(resource, "Ready");
  return {
    uid: resource.uid,
    resourceGroup: shared(key.resourceGroup),
    kind: shared(key.kind),
    namespace: shared(key.namespace),
    name: key.name,
    shardId: shared(resource.shardId),
    generation: Number(resource.generation),
    observedGeneration: Number(resource.observedGeneration),
    writeCount: resource.writeCount,
    createdAt: resource.createdAt.getTime(),
    updatedAt: resource.updatedAt.getTime(),
    state: stateOf(resource, ready?.status),
    message: shared(ready === undefined ? "" : [ready.reason, ready.message].filter((text) => text).join(": ")),
    seenAt,
  };
}

/** Not ready is what the reconciler says; pending, that it has not spoken of the latest desired state. */
export function stateOf(resource: ClientResource, ready: string | undefined): RowState {
  if (resource.deletionRequestedAt !== undefined) return "deleting";
  if (ready !== undefined && ready !== "True") return "not-ready";
  if (resource.generation > resource.observedGeneration) return "pending";
  return ready === undefined ? "settled" : "ready";
}

/** One copy of what many rows say: decoding makes a new string for each. */
function shared(text: string): string {
  const known = NAMES.get(text);
  if (known !== undefined) return known;
  if (NAMES.size >= NAMES_MAX) NAMES.clear();
  NAMES.set(text, text);
  return text;
}
