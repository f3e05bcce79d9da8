/** Clients that get into each other's way, by REST and RPC, and write down all they ask and are told. */
import { DeletionPropagation } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { connect } from "../../../src/client/connect.js";
import type { Connection } from "../../../src/client/connection.js";
import type { ResourceKey } from "../../../src/resource/key.js";
import { Random } from "../seed.js";
import { type Answer, type Caller, CallFailed, type RpcOnly, textOf, type Written } from "./caller.js";
import { CALLS, CONTENDED_KINDS, chooseDesired, chooseKey, chooseRun, chooseTier, HOLD } from "./choices.js";
import type { Failure, Guard, ListCall, Marked, Operation, Verb } from "./operation.js";
import { restCaller } from "./rest-caller.js";
import { rpcCaller } from "./rpc-caller.js";

export interface ContendedLoadOptions {
  readonly seed: number;
  readonly urls: readonly string[];
  /** 10 by default. */
  readonly clients?: number;
  /** A call without an answer in this time has an unknown outcome; 4 s by default. */
  readonly timeoutMs?: number;
}

const PROPAGATIONS = [DeletionPropagation.BACKGROUND, DeletionPropagation.FOREGROUND, DeletionPropagation.ORPHAN];
const PAGE_SIZE = 5;

interface Replica {
  readonly connection: Connection;
  readonly rpc: Caller & RpcOnly;
  readonly rest: Caller;
}

/** Calls until `stop`. The choices follow from the seed; what comes of them does not. */
export class ContendedLoad {
  readonly operations: Operation[] = [];
  /** What must not happen whatever the log says: an answer that cannot be read. */
  readonly violations: string[] = [];
  readonly #replicas: readonly Replica[];
  readonly #stop = new AbortController();
  readonly #finished: Promise<unknown>;
  #lastNumber = 0;
  #writesDone = 0;

  constructor({ seed, urls, clients = 10, timeoutMs = 4_000 }: ContendedLoadOptions) {
    this.#replicas = urls.map((url) => {
      const connection = connect(url);
      return { connection, rpc: rpcCaller(connection, timeoutMs), rest: restCaller(url, timeoutMs) };
    });
    const running = Array.from({ length: clients }, (_, client) => {
      const random = new Random(seed, client);
      return new ContendedClient(client, random, this).run(this.#stop.signal);
    });
    this.#finished = Promise.all(running);
  }

  /** How many writes were acknowledged so far. */
  get writesDone(): number {
    return this.#writesDone;
  }

  /** Resolves when every call has ended. Twice is safe. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#finished;
    for (const { connection } of this.#replicas) connection.close();
  }

  /** For its clients. */
  replica(number: number): Replica & { readonly index: number } {
    const index = number % this.#replicas.length;
    const replica = this.#replicas[index];
    if (replica === undefined) throw new Error("a load needs a replica");
    return { ...replica, index };
  }

  nextNumber(): number {
    return ++this.#lastNumber;
  }

  record(operation: Operation): void {
    this.operations.push(operation);
    if ((operation.type === "write" || operation.type === "run") && operation.outcome.type === "done")
      this.#writesDone++;
  }
}

/** One call at a time, at one replica until that fails. */
class ContendedClient {
  readonly #client: number;
  readonly #random: Random;
  readonly #load: ContendedLoad;
  /** What it was told last. */
  readonly #known = new Map<string, Answer>();
  #replica: number;

  constructor(client: number, random: Random, load: ContendedLoad) {
    this.#client = client;
    this.#random = random;
    this.#load = load;
    this.#replica = client;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#call();
      } catch (error) {
        this.#load.violations.push(`client ${this.#client}: ${error instanceof Error ? error.stack : error}`);
      }
      // Readers of one replica are not always its writers.
      if (this.#random.chance(0.2)) this.#replica++;
    }
  }

  async #call(): Promise<void> {
    const key = chooseKey(this.#random);
    await this.#callAbout(key);
    if (!this.#random.chance(0.25)) return;
    // What it has just been told has to be in the cache of another replica, too.
    const { rpc } = this.#load.replica(++this.#replica);
    await this.#read(textOf(key), "cached", () => rpc.getCached(key));
  }

  async #callAbout(key: ResourceKey): Promise<void> {
    const random = this.#random;
    const { rpc } = this.#load.replica(this.#replica);
    const text = textOf(key);
    const number = this.#load.nextNumber();
    const known = this.#known.get(text);
    const desired = chooseDesired(random, key, number, known);
    const caller = random.chance(0.35) ? this.#load.replica(this.#replica).rest : rpc;
    const isRpc = caller === rpc;
    const guard = this.#guard(known, isRpc);
    const marked = { key: text, number, payload: desired.specJson, owner: desired.owner && ownerText(desired.owner) };
    switch (random.weighted(CALLS)) {
      case "create":
        return this.#write("create", marked, {}, () => caller.create(desired));
      case "update": {
        // The revision counts in the shard.
        const placed = guard.revision === undefined ? desired : { ...desired, shardId: known?.shardId ?? "s0" };
        return this.#write("update", marked, guard, () => caller.update(placed, guard));
      }
      case "apply":
        return this.#write("apply", marked, {}, () => rpc.apply(desired));
      case "status": {
        const payload = JSON.stringify({ write: number });
        const of = { key: text, number, payload };
        // The dialect always wants the generation.
        const isRest = !isRpc && known !== undefined;
        const expected = isRest ? { generation: known.generation } : { ...guard, uid: undefined };
        return this.#write("status", of, expected, () => (isRest ? caller : rpc).status(key, payload, expected, known));
      }
      case "delete": {
        const expected = isRpc ? { uid: guard.uid, revision: guard.revision } : {};
        const propagation = random.pick(PROPAGATIONS);
        return this.#write("delete", { key: text, number, payload: "" }, expected, () =>
          caller.delete(key, expected, propagation),
        );
      }
      case "force":
        return this.#write("force", { key: text, number, payload: HOLD }, {}, () =>
          rpc.force(key, HOLD, `write ${number}`),
        );
      case "run":
        return this.#run();
      case "get":
        return this.#read(text, "strong", () => caller.get(key));
      case "cached":
        return this.#read(text, "cached", () => rpc.getCached(key));
      case "list":
        return this.#list(caller, random.pick(CONTENDED_KINDS));
      case "enqueue": {
        const done = await this.#time(() => rpc.enqueue(key, `call ${number}`));
        this.#load.record({ type: "enqueue", key: text, ...done.call, outcome: done.failure ?? { type: "done" } });
      }
    }
  }

  /** What the next write expects: half of them take what they know for the truth. */
  #guard(known: Answer | undefined, isRpc: boolean): Guard {
    if (known === undefined || this.#random.chance(0.5)) return {};
    if (!isRpc) return { generation: known.generation };
    const { uid, revision, generation } = known;
    return this.#random.pick([{ uid, revision }, { revision }, { uid, generation }]);
  }

  async #write(verb: Verb, marked: Marked, guard: Guard, send: () => Promise<Written>): Promise<void> {
    const { call, value, failure } = await this.#time(send);
    if (value?.answer !== undefined && !value.isRemoved) this.#known.set(marked.key, value.answer);
    else this.#known.delete(marked.key);
    const done = { type: "done" as const, shown: value?.answer, isRemoved: value?.isRemoved ?? false };
    const outcome = failure ?? { ...done, isUnchanged: value?.isUnchanged ?? false };
    this.#load.record({ type: "write", verb, ...marked, guard, ...call, outcome });
  }

  async #run(): Promise<void> {
    const desired = chooseRun(this.#random).map((key) =>
      chooseDesired(this.#random, key, this.#load.nextNumber(), this.#known.get(textOf(key))),
    );
    const items = desired.map(({ key, specJson }) => {
      const { write: number } = JSON.parse(specJson);
      return { key: textOf(key), number, payload: specJson };
    });
    const { rpc } = this.#load.replica(this.#replica);
    const { call, value, failure } = await this.#time(() => rpc.applyAll(desired));
    const outcome = failure ?? { type: "done" as const, results: value ?? [] };
    this.#load.record({ type: "run", items, ...call, outcome });
  }

  async #read(key: string, consistency: "strong" | "cached", send: () => Promise<Answer | undefined>): Promise<void> {
    const { call, value, failure } = await this.#time(send);
    if (value !== undefined) this.#known.set(key, value);
    this.#load.record({ type: "read", key, consistency, ...call, outcome: failure ?? { type: "done", shown: value } });
  }

  async #list(caller: Caller, kind: string): Promise<void> {
    const tier = this.#random.chance(0.5) ? chooseTier(this.#random) : undefined;
    const pages: ListCall["pages"][number][] = [];
    let failed: Failure | undefined;
    let from = "";
    const { client, replica, invokedAt } = this.#begin();
    do {
      const { call, value, failure } = await this.#time(() => caller.list(kind, tier, PAGE_SIZE, from));
      failed = failure;
      if (value === undefined) break;
      pages.push({ ...call, shown: value.answers });
      from = value.next;
    } while (from !== "");
    const completedAt = performance.now();
    const call = { client, replica, invokedAt, completedAt };
    this.#load.record({ type: "list", kind, tier, pages, ...call, failure: failed });
  }

  /** Makes one call; a failure sends its client to another replica. Rejects when the answer was none. */
  async #time<T>(send: () => Promise<T>) {
    const begun = this.#begin();
    try {
      const value = await send();
      return { call: { ...begun, completedAt: performance.now() }, value, failure: undefined };
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      const { failure } = error;
      const isAway = failure.type === "unknown" || failure.code === "UNAVAILABLE";
      if (isAway) this.#replica++;
      // What has no answer may still take effect.
      const completedAt = failure.type === "unknown" ? Number.POSITIVE_INFINITY : performance.now();
      return { call: { ...begun, completedAt }, value: undefined, failure };
    }
  }

  #begin() {
    const { index: replica } = this.#load.replica(this.#replica);
    return { client: this.#client, replica, invokedAt: performance.now() };
  }
}

function ownerText({ resourceGroup, kind, name }: Omit<ResourceKey, "namespace">): string {
  return textOf({ resourceGroup, kind, namespace: "default", name });
}
