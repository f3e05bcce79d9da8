import { isIPv6 } from "node:net";
import type { Logger } from "pino";
import { OpenPort } from "./api/open-port.js";
import { type Api, startApi } from "./api/server-api.js";
import { ResourceCache } from "./cache/resource-cache.js";
import { CompatStreams } from "./compat/compat-streams.js";
import { type Config, ConfigError, type Secrets } from "./config.js";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.js";
import type { CommittedBatch } from "./log/change-log.js";
import { RedisDoorbellChannel } from "./log/doorbell-channel.js";
import { Publisher } from "./log/publisher.js";
import { StreamKeys } from "./log/stream-keys.js";
import { createMetrics, type Metrics } from "./observability/metrics.js";
import { Collector } from "./owners/collector.js";
import { askRedis, RedisConnections, together } from "./redis-connection.js";
import { describeProblem, REDIS_USES } from "./redis-health.js";
import { ResourceService } from "./service/resource-service.js";
import { serverStatus } from "./service/server-status.js";
import { newestMigration } from "./store/migrate.js";
import { openStore, type PostgresStore } from "./store/postgres-store.js";
import { waitForStore } from "./store/wait-for-store.js";
import { ResumeTokens } from "./watch/resume-token.js";
import { WatchService } from "./watch/watch-service.js";
import { WorkQueue } from "./work/work-queue.js";

/** A state-manager while it serves. */
export interface StateManager {
  /** For example `http://127.0.0.1:8080`; a wildcard address is shown as loopback. */
  readonly url: string;
  readonly metrics: Metrics;
  /**
   * Ends waiting calls and watches with errors that clients resume from, finishes batches, and disconnects, within the
   * configured time. Safe to call twice.
   */
  stop(): Promise<void>;
}

/** Retention and partitions are looked after this often; an hour is the size of a partition. */
const MAINTENANCE_INTERVAL_MS = 10 * 60_000;

/**
 * The composition root: the one place where rooms meet. Listens at once, and waits for a PostgreSQL that is away. Rejects when that takes
 * longer than the configured time, when the database cannot be used, and when the port is taken.
 */
export async function startStateManager(options: {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly logger: Logger;
  /** Shown at /metrics after the server's own; see startApi. */
  readonly furtherMetrics?: () => Promise<string>;
  /** Told why the start waits, once for every reason. */
  readonly onWaiting?: (problem: string) => void;
  /** Ends a start that waits for PostgreSQL. */
  readonly signal?: AbortSignal;
}): Promise<StateManager> {
  const { config, logger } = options;
  const closers: (() => Promise<void> | void)[] = [];
  const stop = () => closeAll(closers);
  try {
    const metrics = createMetrics();
    const databaseUrl = options.secrets.databaseUrl ?? (await startBundled(config, logger, closers));
    let problem = "starting";
    const openPort = await OpenPort.open({ host: config.serverHost, port: config.serverPort }, () => problem).catch(
      (error: unknown) => {
        throw explainListenError(error, config);
      },
    );
    closers.push(() => openPort.close(0));
    const rooms = await waitForStore(() => openAllRooms({ ...options, databaseUrl, metrics, closers }), {
      waitMs: config.databaseWaitMs,
      signal: options.signal,
      onWaiting: (reason) => {
        if (reason === problem) return;
        problem = reason;
        logger.warn({ problem }, "waiting for PostgreSQL");
        options.onWaiting?.(problem);
      },
    });
    let api: Api | undefined;
    closers.push(
      () => api?.close(config.shutdownTimeoutMs / 2),
      () => rooms.watch.stop(),
      () => rooms.work.stop(),
    );
    api = await serve(rooms, { ...options, metrics, openPort });
    const url = addressOf(config.serverHost, api.port);
    logger.info({ url, storeId: rooms.store.identity.storeId, logs: rooms.store.identity.logCount }, "serving");
    let stopped: Promise<void> | undefined;
    return { url, metrics, stop: () => (stopped ??= stop()) };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** In reverse: what was started last stands on what was started first. */
async function closeAll(closers: RoomsOptions["closers"]): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

/** What the API serves. */
interface Rooms {
  readonly store: PostgresStore;
  readonly watch: WatchService;
  readonly work: WorkQueue;
  readonly cache: ResourceCache | undefined;
  readonly compat: CompatStreams | undefined;
  readonly redis: RedisConnections | undefined;
}

interface RoomsOptions {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly logger: Logger;
  readonly databaseUrl: string;
  readonly metrics: Metrics;
  readonly closers: (() => Promise<void> | void)[];
}

interface ServeOptions extends Pick<RoomsOptions, "config" | "metrics" | "logger"> {
  readonly openPort: OpenPort;
  readonly furtherMetrics?: () => Promise<string>;
}

/** All rooms, or none: PostgreSQL may go away between two of them. */
async function openAllRooms(options: RoomsOptions): Promise<Rooms> {
  const closers: RoomsOptions["closers"] = [];
  try {
    const rooms = await openRooms({ ...options, closers });
    options.closers.push(...closers);
    return rooms;
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

async function openRooms({ config, secrets, logger, databaseUrl, metrics, closers }: RoomsOptions): Promise<Rooms> {
  // Commits begin when the API does, so nothing is handed over before `deliver` is complete.
  let deliver: (batch: CommittedBatch) => Promise<void> = async () => {};
  const store = await openStore({
    databaseUrl,
    poolSize: config.databasePoolSize,
    commitConcurrency: config.commitConcurrency,
    logCount: config.logCount,
    retentionHours: config.logRetentionHours,
    compatStreams: config.compatStreams,
    metrics,
    onIdleError: (err) => logger.warn({ err }, "idle database connection lost"),
    onCommitted: (batch) => deliver(batch),
  });
  closers.push(() => store.close());
  const { identity, database, sink, dryRun, reader, log: durable } = store;

  const redis =
    secrets.redisUrl === undefined ? undefined : openRedis(secrets.redisUrl, identity.storeId, metrics, logger);
  if (redis !== undefined) closers.push(redis.close);
  const cache = redis && new ResourceCache({ ...redis.shared, keys: redis.keys, reader, logger });
  const onLineageLost = () => void cache?.purge();
  let compat: CompatStreams | undefined;
  const onAdvance = () => compat?.notice();
  const watch = await WatchService.start({
    identity,
    durable,
    reader,
    redis,
    metrics,
    logger,
    onLineageLost,
    onAdvance,
  });
  const collector = new Collector({ database, sink, logger });
  const work = new WorkQueue({
    database,
    sink,
    dryRun,
    reader,
    doorbellChannel: redis?.doorbell,
    onCollectionDue: () => collector.look(),
    metrics,
    logger,
  });
  const publisher =
    redis &&
    new Publisher({
      ...redis.shared,
      keys: redis.keys,
      logCount: identity.logCount,
      durable,
      metrics,
    });
  if (publisher !== undefined) closers.push(() => publisher.stop());
  compat =
    redis &&
    new CompatStreams({
      redis: redis.connections.commands,
      keys: redis.keys,
      logCount: identity.logCount,
      durable,
      readUnsettled: store.readUnsettled,
      reader,
      readSetting: store.hasCompatStreams,
      heads: () => watch.heads,
      metrics,
      logger,
    });
  closers.push(() => compat?.stop());
  closers.push(() => collector.stop());
  deliver = async ({ changes, due, isCollecting }) => {
    const published = together(redis?.connections.commands, () => {
      // First: PostgreSQL looks for the work while this process does the rest.
      work.onCommitted(due);
      // Before the change is published: who is told of it does not find the state before it in the cache.
      cache?.supersede(changes);
      return Promise.all([publisher?.publish(changes), compat?.offer(changes)]);
    });
    watch.offer(changes);
    if (isCollecting) collector.look();
    for (const { resourceGroup, kind, items } of due) {
      metrics.workqueueAdds.inc({ resource_group: resourceGroup, kind }, items);
    }
    await published;
  };
  work.start();
  await compat?.start();
  closers.push(maintain(store, logger));
  return { store, watch, work, cache, compat, redis: redis?.connections };
}

function openRedis(url: string, storeId: string, metrics: Metrics, logger: Logger) {
  const connections = new RedisConnections(url, logger);
  for (const use of REDIS_USES) metrics.redisFailing.set({ use }, 0);
  connections.health.onChange((use, isFailing) => metrics.redisFailing.set({ use }, isFailing ? 1 : 0));
  const keys = new StreamKeys(storeId);
  const doorbell = new RedisDoorbellChannel({
    publisher: connections.commands,
    subscriber: connections.subscriber(),
    health: connections.health,
    keys,
  });
  const close = async () => {
    await doorbell.close();
    connections.close();
  };
  const shared = { redis: connections.commands, health: connections.health };
  return { connections, shared, keys, doorbell, close };
}

function serve({ store, watch, work, cache, compat, redis }: Rooms, options: ServeOptions): Promise<Api> {
  const { config, metrics, furtherMetrics, logger, openPort } = options;
  return startApi({
    openPort,
    config: { host: config.serverHost, port: config.serverPort, corsAllowedOrigins: config.corsAllowedOrigins },
    resources: new ResourceService({ ...store, cache, watch, logger }),
    watch,
    work,
    status: serverStatus({
      storeId: store.identity.storeId,
      programSchema: newestMigration(),
      askStore: () => store.health(),
      askRedis: redis && (() => askRedis(redis)),
      clockStep: () => work.clockStep,
      askCompatStreams: async () =>
        compat?.health() ?? { isOn: await store.hasCompatStreams(), problem: COMPAT_WITHOUT_REDIS },
    }),
    tokens: new ResumeTokens(store.identity),
    // Redis is not asked: without it everything is served, only by other means (2.2). What is known of it is told.
    readiness: async () => {
      const problem = await store.problem();
      const notes = (redis?.health.problems ?? []).map((each) => `Redis: ${describeProblem(each)}`);
      return { ok: problem === "", problems: problem === "" ? [] : [problem], notes };
    },
    metrics,
    furtherMetrics,
    logger,
  });
}

const COMPAT_WITHOUT_REDIS =
  "COMPAT_STREAMS is on for this store and this server has no REDIS_URL; set it, or set COMPAT_STREAMS=false to end the streams";

/** The address is a setting: what is wrong with it is said in the settings' words. */
function explainListenError(error: unknown, { serverHost, serverPort }: Config): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "EADDRINUSE":
      return new ConfigError([
        `SERVER_PORT ${serverPort} on ${serverHost} is taken by another program; stop that, or choose another port`,
      ]);
    case "EACCES":
      return new ConfigError([`SERVER_PORT ${serverPort} needs rights this user lacks; choose a port above 1023`]);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new ConfigError([
        `SERVER_HOST ${serverHost} is no address of this machine; use 127.0.0.1, ::1, 0.0.0.0 or ::`,
      ]);
    default:
      return error;
  }
}

async function startBundled(config: Config, logger: Logger, closers: RoomsOptions["closers"]): Promise<string> {
  const postgres: EmbeddedPostgres = await startEmbeddedPostgres({ dataDir: config.dataDir, log: logger });
  closers.push(() => postgres.stop());
  return postgres.url;
}

/** Returns what ends it. */
function maintain(store: PostgresStore, logger: Logger): () => Promise<void> {
  let running: Promise<void> | undefined;
  const run = () => {
    running ??= store
      .maintain()
      .catch((err: unknown) => logger.warn({ err }, "log maintenance failed; trying again later"))
      .finally(() => {
        running = undefined;
      });
  };
  run();
  const timer = setInterval(run, MAINTENANCE_INTERVAL_MS).unref();
  return async () => {
    clearInterval(timer);
    await running;
  };
}

function addressOf(host: string, port: number): string {
  const shown = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${isIPv6(shown) ? `[${shown}]` : shown}:${port}`;
}
