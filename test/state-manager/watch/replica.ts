/** The write and watch halves of a state-manager, assembled as server.ts does, for tests that run several in one process. */
import { pino } from "pino";
import type { Command } from "../../../src/resource/command.js";
import { ResourceCache } from "../../../src/state-manager/cache/resource-cache.js";
import { Publisher } from "../../../src/state-manager/log/publisher.js";
import { StreamKeys } from "../../../src/state-manager/log/stream-keys.js";
import { createMetrics, type Metrics } from "../../../src/state-manager/observability/metrics.js";
import { RedisConnections } from "../../../src/state-manager/redis-connection.js";
import { openStore, type PostgresStore } from "../../../src/state-manager/store/postgres-store.js";
import type { RingLimits } from "../../../src/state-manager/watch/ring-buffer.js";
import type { WatchBatch, WatchRequest } from "../../../src/state-manager/watch/watch.js";
import { WatchService } from "../../../src/state-manager/watch/watch-service.js";

export interface ReplicaOptions {
  readonly databaseUrl: string;
  readonly redisUrl?: string;
  readonly logCount?: number;
  readonly bookmarkMs?: number;
  readonly ringLimits?: RingLimits;
  readonly streamMaxLength?: number;
}

/** A replica and what tests do with it. */
export class Replica {
  readonly store: PostgresStore;
  readonly watch: WatchService;
  readonly publisher: Publisher | undefined;
  readonly cache: ResourceCache | undefined;
  readonly keys: StreamKeys;
  readonly metrics: Metrics;
  readonly #connections: RedisConnections | undefined;

  private constructor(parts: {
    store: PostgresStore;
    watch: WatchService;
    publisher?: Publisher;
    cache?: ResourceCache;
    connections: RedisConnections | undefined;
    metrics: Metrics;
  }) {
    this.store = parts.store;
    this.watch = parts.watch;
    this.publisher = parts.publisher;
    this.cache = parts.cache;
    this.metrics = parts.metrics;
    this.keys = new StreamKeys(parts.store.identity.storeId);
    this.#connections = parts.connections;
  }

  static async start(options: ReplicaOptions): Promise<Replica> {
    const logger = pino({ level: process.env.TEST_LOG_LEVEL ?? "silent" });
    const metrics = createMetrics();
    const late: { watch?: WatchService; publisher?: Publisher; cache?: ResourceCache } = {};
    const store = await openStore({
      databaseUrl: options.databaseUrl,
      logCount: options.logCount,
      onCommitted: async ({ changes }) => {
        late.watch?.offer(changes);
        late.cache?.supersede(changes);
        await late.publisher?.publish(changes);
      },
    });
    const { identity, log: durable, reader } = store;
    const keys = new StreamKeys(identity.storeId);
    const connections = options.redisUrl === undefined ? undefined : new RedisConnections(options.redisUrl, logger);
    const redis = connections && { connections, keys };
    const { bookmarkMs, ringLimits, streamMaxLength } = options;
    if (redis !== undefined)
      late.cache = new ResourceCache({
        redis: redis.connections.commands,
        health: redis.connections.health,
        keys,
        reader,
        logger,
      });
    const onLineageLost = () => void late.cache?.purge();
    late.watch = await WatchService.start({
      onLineageLost,
      identity,
      durable,
      reader,
      redis,
      metrics,
      logger,
      bookmarkMs,
      ringLimits,
    });
    if (connections !== undefined) {
      const { logCount } = identity;
      late.publisher = new Publisher({
        redis: connections.commands,
        health: connections.health,
        keys,
        logCount,
        durable,
        metrics,
        streamMaxLength,
      });
    }
    return new Replica({ ...late, store, watch: late.watch, connections, metrics });
  }

  create(
    name: string,
    fields: { shardId?: string; labels?: Record<string, string>; spec?: unknown } = {},
  ): Promise<unknown> {
    return this.store.sink.submit({ type: "create", input: inputOf(name, fields) });
  }

  update(
    name: string,
    fields: { shardId?: string; labels?: Record<string, string>; spec?: unknown } = {},
  ): Promise<unknown> {
    return this.store.sink.submit({ type: "update", input: inputOf(name, fields), expected: {} });
  }

  delete(name: string): Promise<unknown> {
    return this.store.sink.submit({ type: "delete", key: keyNamed(name), expected: {} });
  }

  /** A watch whose batches are collected until it ends. */
  open(request: Partial<WatchRequest> = {}): Promise<Watcher> {
    return Watcher.open(this.watch, { filter: {}, sendInitialState: false, resumeToken: undefined, ...request });
  }

  /** The value of a counter with one label. */
  async count(metric: "watchEvents" | "watchTailEvents" | "publisherAppends", label: string): Promise<number> {
    const { values } = await this.metrics[metric].get();
    return values.find(({ labels }) => Object.values(labels).includes(label))?.value ?? 0;
  }

  async stop(): Promise<void> {
    await this.watch.stop();
    await this.publisher?.stop();
    this.#connections?.close();
    await this.store.close();
  }
}

/** What a watcher was sent of one event. */
export interface Seen {
  readonly type: string;
  readonly name: string;
  readonly uid: string;
  readonly writeCount: bigint;
  readonly log: number;
  readonly revision: bigint;
  readonly fingerprint: bigint;
  readonly spec: string | null;
}

/** Pulls a watch in the background and remembers what it brought. */
export class Watcher {
  readonly seen: Seen[] = [];
  /** SYNCED and BOOKMARK in between, as they came. */
  readonly types: string[] = [];
  readonly #abort = new AbortController();
  batches = 0;
  largestBatch = 0;
  token = "";
  error: unknown;
  isEnded = false;

  static async open(source: WatchService, request: WatchRequest): Promise<Watcher> {
    const watcher = new Watcher();
    const batches = await source.open(request, watcher.#abort.signal);
    void watcher.#pull(batches);
    return watcher;
  }

  close(): void {
    this.#abort.abort();
  }

  get revisions(): readonly bigint[] {
    return this.seen.map(({ revision }) => revision);
  }

  async #pull(batches: AsyncIterable<WatchBatch>): Promise<void> {
    try {
      for await (const { events, resumeToken } of batches) {
        this.batches += 1;
        this.largestBatch = Math.max(this.largestBatch, events.length);
        for (const event of events) {
          this.types.push(event.type);
          if (!("resource" in event)) continue;
          const { type, resource, revision, change } = event;
          const place = { log: change?.log ?? 0, fingerprint: change?.fingerprint ?? 0n };
          const { key, uid, writeCount, specJson: spec } = resource;
          this.seen.push({ type, name: key.name, uid, writeCount, revision, ...place, spec });
        }
        this.token = resumeToken;
      }
    } catch (error) {
      this.error = error;
    }
    this.isEnded = true;
  }
}

function keyNamed(name: string) {
  return { resourceGroup: "apps", kind: "Widget", namespace: "default", name };
}

function inputOf(
  name: string,
  { shardId = "s0", labels = {}, spec = {} }: { shardId?: string; labels?: Record<string, string>; spec?: unknown },
): Extract<Command, { type: "create" }>["input"] {
  return {
    key: keyNamed(name),
    shardId,
    labels: new Map(Object.entries(labels)),
    annotations: new Map(),
    finalizers: [],
    specJson: JSON.stringify(spec),
  };
}
