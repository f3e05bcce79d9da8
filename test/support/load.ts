/** Writers that know what they wrote: every answer is kept and held against the log afterwards (I10). */
import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, type ApiErrorCode } from "../../src/client/api-error.js";
import { connect } from "../../src/client/connect.js";
import type { Connection } from "../../src/client/connection.js";
import { retryDelayMs } from "../../src/client/retry.js";
import type { History } from "./history.js";
import { type Acknowledged, markerOf, OwnResource } from "./own-resource.js";

/** What is written, and how fast. */
export interface LoadOptions {
  /** Replicas; a lane writes through one of them until that does not answer. */
  readonly urls: readonly string[];
  /** Writers; each has one write in flight and resources of its own. 32 by default. */
  readonly lanes?: number;
  /** 4 by default. */
  readonly resourcesPerLane?: number;
  /** Takes part in the resources' names, for several loads on one store. */
  readonly name?: string;
  /** Every so many-th spec is 70 kB, which travels by reference (2.6); none when absent. */
  readonly largeEvery?: number;
  /** A call without an answer in this time has an unknown outcome; 10 s by default. */
  readonly timeoutMs?: number;
  readonly logCount?: number;
}

export const KINDS = ["one", "two"];
export const SHARDS = ["s0", "s1", "s2", "s3"];
export const TIERS = ["web", "api"];
/** What an outage explains. */
const MAY_FAIL: ReadonlySet<ApiErrorCode> = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"]);
/** No outage of a scenario lasts longer. */
const SETTLE_TIMEOUT_MS = 30_000;

/** Every write has a number of its own, also among several loads. */
let lastWrite = 0;

/** Mixed writes (create, update, status, relabel, move, delete) from many lanes until `stop`. */
export class Load {
  readonly acknowledged: Acknowledged[] = [];
  /** Every answered write: its lane, and how many milliseconds it took. */
  readonly times: { readonly lane: number; readonly ms: number }[] = [];
  /** How often calls failed, by reason. */
  readonly failures = new Map<string, number>();
  /** What must not happen: an unexpected error, a state nobody wrote. */
  readonly violations: string[] = [];
  readonly #options: LoadOptions;
  readonly #connections: readonly Connection[];
  readonly #stop = new AbortController();
  readonly #finished: Promise<unknown>;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#connections = options.urls.map((url) => connect(url));
    this.#finished = Promise.all(Array.from({ length: options.lanes ?? 32 }, (_, lane) => this.#run(lane)));
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Resolves when every write has been answered or, if it was not, looked up. Twice is safe. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#finished;
    for (const connection of this.#connections) connection.close();
  }

  /** What was acknowledged and does not stand in `history` exactly so, and what stands there twice. */
  contradictions(history: History): readonly unknown[] {
    const bodies = new Map(history.events.map(({ log, revision, body }) => [`${log} ${revision}`, body]));
    const removals = history.events.filter(({ type, movedTo }) => type === "DELETED" && movedTo === null);
    const removed = new Set(removals.map(({ uid }) => uid));
    const lost = this.acknowledged.filter(({ uid, place }) =>
      place === undefined ? !removed.has(uid) : bodies.get(`${place.log} ${place.revision}`) !== place.body,
    );
    return [...lost, ...findDoubled(history)];
  }

  async #run(lane: number): Promise<void> {
    const resources = this.#resourcesOf(lane);
    let replica = lane;
    for (let turn = 0; !this.isStopped; turn++) {
      const resource = resources[turn % resources.length];
      if (resource?.isUnknown) replica = await this.#settle(resource, replica);
      else if (resource !== undefined) replica = await this.#write(resource, lane, replica);
    }
    for (const resource of resources) replica = await this.#settle(resource, replica);
  }

  #resourcesOf(lane: number): readonly OwnResource[] {
    const { name = "r", resourcesPerLane = 4, largeEvery, timeoutMs = 10_000, logCount = 1 } = this.#options;
    return Array.from({ length: resourcesPerLane }, (_, i) => {
      const own = { name: `${name}-${lane}-${i}`, kind: KINDS[i % KINDS.length] ?? "", isHeld: i % 3 === 0 };
      return new OwnResource({ ...own, shards: SHARDS, tiers: TIERS, largeEvery, timeoutMs, logCount });
    });
  }

  /** One write; returns the replica to use next. */
  async #write(resource: OwnResource, lane: number, replica: number): Promise<number> {
    const number = ++lastWrite;
    const startedAt = performance.now();
    const { isContested } = resource;
    try {
      this.acknowledged.push(await resource.write(this.#api(replica), number));
      this.times.push({ lane, ms: performance.now() - startedAt });
      return replica;
    } catch (thrown) {
      const error = ApiError.from(thrown);
      this.#count(error);
      if (!MAY_FAIL.has(error.code) && !isContested)
        this.violations.push(`write ${number} of ${resource.name}: ${error.code} ${error.message}`);
      return replica + 1;
    }
  }

  /** Reads a resource whose last write went unanswered, at whatever replica answers; returns that one. */
  async #settle(resource: OwnResource, firstReplica: number): Promise<number> {
    const giveUpAt = performance.now() + SETTLE_TIMEOUT_MS;
    let replica = firstReplica;
    for (let failures = 0; resource.isUnknown; ) {
      try {
        const surprise = await resource.read(this.#api(replica));
        if (surprise !== undefined) this.violations.push(surprise);
      } catch (thrown) {
        const error = ApiError.from(thrown);
        this.#count(error);
        if (performance.now() > giveUpAt) {
          this.violations.push(`${resource.name} could not be read: ${error.code} ${error.message}`);
          return replica;
        }
        replica += 1;
        await sleep(retryDelayMs(++failures));
      }
    }
    return replica;
  }

  #api(replica: number): Connection["resources"] {
    const connection = this.#connections[replica % this.#connections.length];
    if (connection === undefined) throw new Error("a load needs a replica");
    return connection.resources;
  }

  #count({ reason, code }: ApiError): void {
    const name = reason || code;
    this.failures.set(name, (this.failures.get(name) ?? 0) + 1);
  }
}

/** Writes that took effect more than once: their number came into a spec or a status a second time. */
function findDoubled(history: History): readonly string[] {
  const applied = new Map<string, number>();
  const last = new Map<string, string>();
  const inOrder = history.events.filter(({ type }) => type !== "DELETED").sort((a, b) => a.writes - b.writes);
  for (const { uid, spec, status } of inOrder) {
    for (const [field, text] of Object.entries({ spec, status })) {
      const number = markerOf(text);
      if (number === undefined || last.get(`${uid} ${field}`) === text) continue;
      last.set(`${uid} ${field}`, text);
      applied.set(`${field} of write ${number}`, (applied.get(`${field} of write ${number}`) ?? 0) + 1);
    }
  }
  return [...applied]
    .filter(([, times]) => times > 1)
    .map(([what, times]) => `${what} stands in the log ${times} times`);
}
