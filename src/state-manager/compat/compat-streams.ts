import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { type Change, ORIGIN, type Position } from "../../resource/change.js";
import type { DurableChangeLog } from "../log/change-log.js";
import type { StreamKeys } from "../log/stream-keys.js";
import type { Metrics } from "../observability/metrics.js";
import { isReady } from "../redis-connection.js";
import type { ResourceReader } from "../store/store.js";
import { checkCompat, MAIN_LANE } from "./append-script.js";
import { compatEntry, shardOfStream } from "./compat-entry.js";
import { CompatLane, type ReadUnsettled } from "./compat-lane.js";
import { type CompatState, parseState } from "./compat-state.js";
import { REDELIVERY, redeliver } from "./redelivery.js";
import type { RedeliveryLimits } from "./redelivery-scripts.js";

/** Entries the stream of a shard keeps, about. */
const MAX_LENGTH = 50_000;
const MAX_WAIT_MS = 250;
/** How often every replica compares the position with the end of the logs. */
const CHECK_MS = 2_000;
/** The same after news from another replica, which has this long to announce its changes itself. */
const NOTICE_MS = 250;
/** How soon a replica learns that the streams are to be written, or no longer. */
const SETTING_MS = 10_000;
/** The same when nothing in Redis tells that another replica writes them: an idle replica sends few statements. */
const SETTING_MAX_AGE_MS = 60_000;
/** Streams apart that are looked after at a time (I9). */
const MAX_STREAMS_APART = 100;

/** Whether existing operators get their entries. */
export interface CompatHealth {
  /** The store's setting. */
  readonly isOn: boolean;
  /** What is wrong and what to do; empty when nothing is. */
  readonly problem: string;
}

/** What the streams are written with. */
export interface CompatStreamsOptions {
  readonly redis: Redis;
  readonly keys: StreamKeys;
  readonly logCount: number;
  readonly durable: DurableChangeLog;
  readonly readUnsettled: ReadUnsettled;
  readonly reader: Pick<ResourceReader, "get">;
  /** Whether the store wants the streams. */
  readonly readSetting: () => Promise<boolean>;
  /** The ends of the logs as this process knows them. */
  readonly heads: () => readonly Position[];
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** The times and limits above, for tests. */
  readonly maxWaitMs?: number | undefined;
  readonly checkMs?: number | undefined;
  readonly settingMs?: number | undefined;
  readonly redelivery?: RedeliveryLimits | undefined;
}

/**
 * The writer of the streams `<shard_id>_stream` (`COMPAT_STREAMS`): a consumer of the change log with a position of its own, which is
 * kept in Redis and moves in the script that writes the entries. So every replica may write, whatever the others do, and takes up
 * what another one left behind. SPEC.md has its states.
 */
export class CompatStreams {
  readonly #options: CompatStreamsOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  /** Only while the streams are written. */
  readonly #laneTimers: NodeJS.Timeout[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #isOn = false;
  #isStopped = false;
  #settingReadAt = 0;
  #statesBefore = "";
  /** Per log. */
  #lanes: readonly CompatLane[] = [];
  /** Of streams whose key is no stream, by log and name. */
  readonly #apart = new Map<string, { readonly stream: string; readonly lane: CompatLane }>();
  #isBreakerOpen = false;
  /** Why the last check failed, and why the last step of a main lane did; empty when it did not. */
  #checkProblem = "";
  #laneProblem = "";
  #isCluster: boolean | undefined;
  /** What the last check saw. */
  #headsBefore: readonly Position[] = [];
  #checking: Promise<void> | undefined;
  #noticed: NodeJS.Timeout | undefined;

  constructor(options: CompatStreamsOptions) {
    this.#options = options;
  }

  /** Begins to look after the streams. Rejects when PostgreSQL does not tell the setting. */
  async start(): Promise<void> {
    const { redis, readSetting, settingMs = SETTING_MS } = this.#options;
    redis.on("ready", this.#onReady);
    await this.#switch(await readSetting());
    this.#timers.push(this.#every(settingMs, () => this.#followSetting()));
  }

  /**
   * Writes the entries of changes that have just committed, per log contiguous and ascending. Resolves when a write may be answered:
   * they are written, an attempt failed, or 250 ms are over. Never rejects; what is not written then is written later.
   */
  offer(changes: readonly Change[]): Promise<void> {
    if (!this.#isOn || this.#isStopped) return Promise.resolve();
    const offered = this.#lanes.map((lane, log) => lane.offer(changes.filter((change) => change.log === log)));
    if (this.#isBreakerOpen || !changes.some((change) => compatEntry(change))) return Promise.resolve();
    const { maxWaitMs = MAX_WAIT_MS } = this.#options;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#openBreaker(new Error(`not written within ${maxWaitMs} ms`));
        resolve();
      }, maxWaitMs);
      // `offer` never rejects.
      void Promise.all(offered).then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** There are changes in the logs, maybe of another replica that does not announce them. */
  notice(): void {
    if (!this.#isOn || this.#isStopped) return;
    this.#noticed ??= setTimeout(() => {
      this.#noticed = undefined;
      this.#track(this.#check());
    }, NOTICE_MS).unref();
  }

  /** Asks Redis now. Never rejects. */
  async health(): Promise<CompatHealth> {
    if (this.#isOn) await this.#check();
    return { isOn: this.#isOn, problem: this.#isOn ? this.#describe() : "" };
  }

  /** Ends what is in flight; the rest is taken up by the next replica that starts, commits or looks. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#options.redis.off("ready", this.#onReady);
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    clearTimeout(this.#noticed);
    await this.#stopLanes();
    await Promise.all(this.#running);
  }

  /** While the streams are not written, PostgreSQL is asked when Redis tells that another replica has written them since. */
  async #followSetting(): Promise<void> {
    const states = this.#isOn ? "" : await this.#readStates();
    const isFresh = performance.now() - this.#settingReadAt < SETTING_MAX_AGE_MS;
    if (!this.#isOn && states === this.#statesBefore && isFresh) return;
    this.#statesBefore = states;
    this.#settingReadAt = performance.now();
    await this.#switch(await this.#options.readSetting());
  }

  async #readStates(): Promise<string> {
    const { redis, keys, logCount } = this.#options;
    if (!isReady(redis)) return this.#statesBefore;
    const logs = Array.from({ length: logCount }, (_, log) => redis.hget(keys.compatStates(log), MAIN_LANE));
    return (await Promise.all(logs)).join();
  }

  async #switch(isOn: boolean): Promise<void> {
    if (isOn === this.#isOn || this.#isStopped) return;
    const { logger, logCount, checkMs = CHECK_MS, redelivery = REDELIVERY } = this.#options;
    logger.info({ isOn }, "COMPAT_STREAMS of the store");
    this.#isOn = isOn;
    if (!isOn) return this.#stopLanes();
    this.#lanes = Array.from({ length: logCount }, (_, log) => this.#openLane(log));
    this.#headsBefore = [];
    this.#laneTimers.push(
      this.#every(checkMs, () => this.#check()),
      this.#every(redelivery.lookEveryMs, () => this.#redeliver()),
    );
    this.#track(this.#check());
  }

  async #stopLanes(): Promise<void> {
    const lanes = [...this.#lanes, ...[...this.#apart.values()].map(({ lane }) => lane)];
    for (const timer of this.#laneTimers.splice(0)) clearInterval(timer);
    this.#lanes = [];
    this.#apart.clear();
    await Promise.all(lanes.map((lane) => lane.stop()));
  }

  #openLane(log: number, stream?: string): CompatLane {
    const { redis, keys, durable, readUnsettled, logger, metrics, redelivery = REDELIVERY } = this.#options;
    const target = {
      states: keys.compatStates(log),
      due: keys.compatDue(),
      maxLength: MAX_LENGTH,
      lookAfterMs: redelivery.lookEveryMs,
    };
    const isMain = stream === undefined;
    const observer = {
      wrote: (entries: number, reason: "change" | "listing") => metrics.compatEntries.inc({ reason }, entries),
      caughtUp: () => isMain && this.#closeBreaker(),
      failed: (error: unknown) => isMain && this.#openBreaker(error),
    };
    return new CompatLane({ redis, target, log, stream, durable, readUnsettled, logger, observer });
  }

  #check(): Promise<void> {
    if (!this.#isOn || this.#isStopped) return Promise.resolve();
    this.#checking ??= this.#checkLogs()
      .then(
        () => "",
        (error: unknown) => messageOf(error),
      )
      .then((problem) => {
        this.#checkProblem = problem;
        this.#checking = undefined;
      });
    return this.#checking;
  }

  async #checkLogs(): Promise<void> {
    const { redis, keys } = this.#options;
    if (!isReady(redis)) throw new Error("Redis is not connected");
    await this.#refuseCluster();
    const before = this.#headsBefore;
    const heads: Position[] = [];
    for (const [log, lane] of this.#lanes.entries()) {
      const lanes = await checkCompat(redis, keys.compatStates(log));
      const { state } = parseState(lanes.get(MAIN_LANE) ?? "");
      // Asked after Redis, which is then not ahead by what this process commits meanwhile.
      const head = this.#options.heads()[log] ?? ORIGIN;
      heads.push(head);
      if (isBehind(state, head, before[log])) lane.catchUp(head.revision);
      this.#catchUpApart(log, lanes, head.revision);
    }
    this.#headsBefore = heads;
  }

  /** Lanes of streams that could not be written; the script says when they are at one with the main lane. */
  #catchUpApart(log: number, lanes: ReadonlyMap<string, string>, head: bigint): void {
    const streams = [...lanes.keys()].filter((name) => name !== MAIN_LANE).slice(0, MAX_STREAMS_APART);
    const ids = new Set(streams.map((stream) => `${log} ${stream}`));
    for (const id of this.#apart.keys()) if (id.startsWith(`${log} `) && !ids.has(id)) this.#apart.delete(id);
    for (const stream of streams) {
      const id = `${log} ${stream}`;
      const apart = this.#apart.get(id) ?? { stream, lane: this.#openLane(log, stream) };
      this.#apart.set(id, apart);
      apart.lane.catchUp(head);
    }
  }

  async #refuseCluster(): Promise<void> {
    // A user that may not ask is not of a cluster as we know it.
    this.#isCluster ??= /cluster_enabled:1/.test(await this.#options.redis.info("cluster").catch(() => ""));
    if (this.#isCluster) {
      throw new Error(
        "REDIS_URL names a Redis Cluster, where COMPAT_STREAMS does not work; use a Redis without cluster mode",
      );
    }
  }

  async #redeliver(): Promise<void> {
    const { redis, keys, reader, metrics, redelivery = REDELIVERY } = this.#options;
    if (!this.#isOn || this.#isStopped || this.#isCluster !== false || !isReady(redis)) return;
    const count = await redeliver({ redis, keys, reader, limits: redelivery, maxLength: MAX_LENGTH });
    if (count > 0) metrics.compatEntries.inc({ reason: "unacknowledged" }, count);
  }

  #describe(): string {
    const problem = this.#checkProblem || this.#laneProblem;
    const problems = problem === "" ? [] : [`${problem}; entries wait in the change log and follow when it is mended`];
    const [apart] = this.#apart.values();
    if (apart !== undefined) {
      const more = this.#apart.size === 1 ? "" : ` and ${this.#apart.size - 1} more`;
      problems.push(
        `the Redis key ${JSON.stringify(apart.stream)}${more} is no stream (WRONGTYPE), so operators of shard ${JSON.stringify(shardOfStream(apart.stream))} get no entries; rename or delete the key, then they follow`,
      );
    }
    return problems.join("; ");
  }

  readonly #onReady = (): void => {
    this.#isCluster = undefined;
    for (const lane of this.#lanes) lane.retryNow();
    this.#track(this.#check());
  };

  #openBreaker(err: unknown): void {
    this.#laneProblem = messageOf(err);
    if (this.#isBreakerOpen || this.#isStopped) return;
    this.#isBreakerOpen = true;
    this.#options.logger.warn(
      { err },
      "streams of existing operators cannot be written; writes no longer wait for them",
    );
  }

  #closeBreaker(): void {
    this.#laneProblem = "";
    if (!this.#isBreakerOpen) return;
    this.#isBreakerOpen = false;
    this.#options.logger.info("streams of existing operators are written again");
  }

  #every(ms: number, work: () => Promise<void>): NodeJS.Timeout {
    let running: Promise<void> | undefined;
    const run = () => {
      running ??= work()
        .catch((err: unknown) => this.#options.logger.debug({ err }, "streams of existing operators; trying again"))
        .finally(() => {
          running = undefined;
        });
      this.#track(running);
    };
    return setInterval(run, ms).unref();
  }

  #track(work: Promise<unknown>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }
}

/** Whether the main lane has to be looked after: others have had the time since the last check to move it on. */
function isBehind(state: CompatState, head: Position, before: Position | undefined): boolean {
  if (state.type !== "at") return true;
  const { revision, fingerprint } = state.position;
  if (before === undefined) return true;
  if (revision === head.revision) return fingerprint !== head.fingerprint;
  return revision < before.revision || revision > head.revision;
}

function messageOf(error: unknown): string {
  return error instanceof Error && error.message !== "" ? error.message : "no answer";
}
