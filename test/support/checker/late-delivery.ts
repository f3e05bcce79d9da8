/** A write whose message to PostgreSQL is late: what its client is told has to be true afterwards, too. */
import { onTestFinished } from "vitest";
import { connect } from "../../../src/client/connect.js";
import { until } from "../until.js";
import type { World } from "../world.js";
import { CallFailed, textOf, type Written } from "./caller.js";
import { findViolations } from "./find-violations.js";
import type { Operation, Verb, WriteCall } from "./operation.js";
import { rpcCaller } from "./rpc-caller.js";

export interface LateDeliveryOptions {
  /** The write, and the statement that its last message to PostgreSQL has. */
  readonly verb: "create" | "update";
  readonly statement: string;
  /** "silent": the replica waits as long as it waits; "cut": its connection breaks, and the message is on its way all the same. */
  readonly network: "silent" | "cut";
}

/** Longer than a replica waits for PostgreSQL and then looks for what became of a write. */
const PATIENT_MS = 60_000;

/** Runs it at the first replica of a world with a proxy; returns what the client was told, and what contradicts it. */
export async function deliverLate(
  world: World,
  { verb, statement, network }: LateDeliveryOptions,
): Promise<{
  readonly outcome: WriteCall["outcome"];
  readonly operations: number;
  readonly violations: readonly string[];
}> {
  const connection = connect(world.replica(0).url);
  onTestFinished(() => connection.close());
  const rpc = rpcCaller(connection, PATIENT_MS);
  const operations: Operation[] = [];
  const call = async (what: Verb, name: string) => {
    const number = operations.length + 1;
    const key = { resourceGroup: "load", kind: "one", namespace: "default", name };
    const payload = JSON.stringify({ write: number });
    const desired = { key, shardId: "s0", labels: {}, annotations: {}, finalizers: [], specJson: payload };
    const invokedAt = performance.now();
    const outcome = await (what === "create" ? rpc.create(desired) : rpc.update(desired, {})).then(done, failed);
    const isOpen = outcome.type === "unknown";
    const completedAt = isOpen ? Number.POSITIVE_INFINITY : performance.now();
    const place = { client: 0, replica: 0, invokedAt, completedAt };
    operations.push({ type: "write", verb: what, key: textOf(key), number, payload, guard: {}, ...place, outcome });
    return outcome;
  };
  // From the second on the end of the log is known, and a batch of creates is one message.
  await call("create", "first");
  await call("create", "second");
  world.proxy.hold(statement);
  const late = call(verb, verb === "create" ? "late" : "first");
  await until(() => world.proxy.isHolding(), { what: "the write is on its way" });
  if (network === "cut") world.proxy.hangUp();
  const outcome = await late;
  await world.proxy.deliver();
  // Whatever has arrived is in by now, or never: this one is behind it in the log.
  await call("create", "after");
  const { events, flaws } = await world.history();
  const violations = findViolations({ operations, events, faults: [], reconciledKinds: new Set() });
  return { outcome, operations: operations.length, violations: [...flaws, ...violations] };
}

function done({ answer, isRemoved, isUnchanged }: Written): WriteCall["outcome"] {
  return { type: "done", shown: answer, isRemoved, isUnchanged };
}

function failed(error: unknown): WriteCall["outcome"] {
  if (error instanceof CallFailed) return error.failure;
  throw error;
}
