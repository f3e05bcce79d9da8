import { randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type LeasedItem, LeasedItemSchema, WorkReason } from "../gen/reconcile/v1/reconciler_service_pb.js";

/** What a pass of the conformance worker does, as the spec of its resource says. */
export type Action =
  | { readonly action: "done" }
  | { readonly action: "fail"; readonly error: string }
  | { readonly action: "requeue"; readonly afterMs: number }
  | { readonly action: "sleep"; readonly ms: number }
  | { readonly action: "panic" }
  | { readonly action: "checkpoint"; readonly value: string; readonly ms: number };

/** Longer than any scenario: such a pass ends only when it is told to. */
export const FOREVER: Action = { action: "sleep", ms: 600_000 };

/** Not 1, so that a worker that makes it up is found out. */
const GENERATION = 3n;
const HOUR_MS = 3_600_000;

/** Fields of a leased item that a scenario wants otherwise. */
export type TaskFields = Omit<MessageInitShape<typeof LeasedItemSchema>, "$typeName" | "$unknown">;

let lastNumber = 0;

/** A leased resource of the kind conformance/task whose spec is `action`. */
export function task(action: Action, fields: TaskFields = {}): LeasedItem {
  const now = timestampFromMs(Date.now());
  return create(LeasedItemSchema, {
    resource: {
      key: { resourceGroup: "conformance", kind: "task", namespace: "default", name: `task-${++lastNumber}` },
      uid: randomUUID(),
      shardId: "default",
      specJson: JSON.stringify(action),
      statusJson: "null",
      generation: GENERATION,
      observedGeneration: GENERATION - 1n,
      revision: BigInt(lastNumber),
      writeCount: 1n,
      createdAt: now,
      updatedAt: now,
    },
    leaseToken: randomUUID(),
    attempt: 1,
    deadline: timestampFromMs(Date.now() + HOUR_MS),
    reason: WorkReason.CREATED,
    ...fields,
  });
}
