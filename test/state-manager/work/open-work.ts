import pg from "pg";
import { onTestFinished, vi } from "vitest";
import type { Resource } from "../../../src/resource/resource.js";
import type { PassReport, PassResult } from "../../../src/resource/work.js";
import type { DueHint } from "../../../src/state-manager/log/change-log.js";
import type { DoorbellChannel } from "../../../src/state-manager/log/doorbell-channel.js";
import { createLogger } from "../../../src/state-manager/observability/logger.js";
import { createMetrics, type Metrics } from "../../../src/state-manager/observability/metrics.js";
import { openStore, type PostgresStore } from "../../../src/state-manager/store/postgres-store.js";
import { WorkQueue } from "../../../src/state-manager/work/work-queue.js";
import type { LeasedItem, Registration } from "../../../src/state-manager/work/work-service.js";
import { createDatabase } from "../../support/postgres.js";
import { until } from "../../support/until.js";

/** One replica: a store and its queue. */
export interface Replica {
  readonly store: PostgresStore;
  readonly queue: WorkQueue;
  readonly metrics: Metrics;
  /** How often each statement was sent, by name. */
  statements(): Promise<ReadonlyMap<string, number>>;
}

/** A database with replicas on it. */
export interface Work extends Replica {
  /** Another replica, connected to the first by a doorbell as Redis would. */
  addReplica(): Promise<Replica>;
  sql<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** Opens a fresh database with one replica. The queue is not started: expiry and resync run when a test starts it. */
export async function openWork(): Promise<Work> {
  const database = await createDatabase();
  const pool = new pg.Pool({ connectionString: database.url, max: 2 });
  pool.on("error", () => {}); // Ending, it does not wait for its connections, and the drop of the database cuts them.
  const exchange = new DoorbellExchange();
  const replicas: Replica[] = [];
  const addReplica = async () => {
    const replica = await openReplica(database.url, exchange);
    replicas.push(replica);
    return replica;
  };
  const first = await addReplica();
  return {
    ...first,
    addReplica,
    async sql<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) {
      return (await pool.query<Row>(text, values)).rows;
    },
    async close() {
      await Promise.all(replicas.map(({ queue }) => queue.stop()));
      await Promise.all(replicas.map(({ store }) => store.close()));
      await pool.end();
      await database.drop();
    },
  };
}

async function openReplica(databaseUrl: string, exchange: DoorbellExchange): Promise<Replica> {
  const metrics = createMetrics();
  const store = await openStore({
    databaseUrl,
    metrics,
    onCommitted: async ({ due }) => queue.onCommitted(due),
  });
  const queue = new WorkQueue({
    database: store.database,
    sink: store.sink,
    dryRun: store.dryRun,
    reader: store.reader,
    doorbellChannel: exchange.join(),
    metrics,
    logger: createLogger("error"),
  });
  return {
    store,
    queue,
    metrics,
    async statements() {
      const { values } = await metrics.postgresStatements.get();
      return new Map(values.map(({ labels, value }) => [String(labels.statement), value]));
    },
  };
}

/** Carries rings between the replicas of one test. */
class DoorbellExchange {
  readonly #listeners = new Map<object, (hints: readonly DueHint[]) => void>();

  join(): DoorbellChannel {
    const me = {};
    return {
      ring: (hints) => {
        for (const [other, listener] of this.#listeners) if (other !== me) queueMicrotask(() => listener(hints));
      },
      listen: (listener) => void this.#listeners.set(me, listener),
      close: async () => void this.#listeners.delete(me),
    };
  }
}

export const KIND = { resourceGroup: "apps", kind: "Widget" };
export const keyOf = (name: string) => ({ ...KIND, namespace: "default", name });

/** A registration with short times; `over` replaces fields. */
export function registration(over: Partial<Registration> = {}): Registration {
  return {
    name: "widgets",
    instanceId: "one",
    language: "test",
    kinds: [KIND],
    shardIds: [],
    concurrency: 16,
    leaseDurationMs: 15_000,
    backoffBaseMs: 5,
    backoffMaxMs: 1_000_000,
    resyncPeriodMs: 600_000,
    passDeadlineMs: 300_000,
    finalizer: "",
    passesPerSecond: 0,
    burst: 0,
    kindConcurrency: 0,
    ...over,
  };
}

/** Creates, or replaces the desired state of, a resource. */
export async function write(
  { store }: Replica,
  name: string,
  over: { spec?: string; shardId?: string; finalizers?: string[]; annotations?: Record<string, string> } = {},
): Promise<Resource> {
  const input = {
    key: keyOf(name),
    shardId: over.shardId ?? "main",
    labels: new Map<string, string>(),
    annotations: new Map(Object.entries(over.annotations ?? {})),
    finalizers: over.finalizers ?? [],
    specJson: over.spec ?? "{}",
  };
  const { resource } = await store.sink.submit({ type: "apply", input });
  if (resource === undefined) throw new Error("apply returns the resource");
  return resource;
}

export async function remove({ store }: Replica, name: string): Promise<void> {
  await store.sink.submit({ type: "delete", key: keyOf(name), expected: {} });
}

/**
 * Adds `count` resources `r<i>`, i counted from `from` (1), with a due item each, by SQL. `namespace`, `priority` and `dueAt` are SQL of i.
 */
export async function fillQueue(
  work: Work,
  count: number,
  over: { from?: number; namespace?: string; priority?: string; dueAt?: string } = {},
): Promise<void> {
  const { from = 1, namespace = "'default'", priority = "0", dueAt = "now() - i * interval '1 ms'" } = over;
  const range = `generate_series(${from}, ${from + count - 1}) i`;
  await work.sql(`
    INSERT INTO resources (id, resource_group, kind, namespace, name, uid, shard_id, log_id, labels, annotations, finalizers,
      generation, observed_generation, revision, write_count, bytes, created_at, updated_at)
    SELECT i, 'apps', 'Widget', ${namespace}, 'r' || i, gen_random_uuid(), 'main', 0, '{}', '{}', '[]', 1, 0, i, 1, 2, now(), now()
    FROM ${range}`);
  await work.sql("SELECT setval('resource_ids', max(id)) FROM resources");
  await work.sql(`
    INSERT INTO work_items (resource_group, kind, namespace, name, resource_id, shard_id, wanted, due_at, is_ready, priority,
      reason, is_pending)
    SELECT 'apps', 'Widget', ${namespace}, 'r' || i, i, 'main', 1, ${dueAt}, (${dueAt}) <= now(), ${priority}, 'CREATED', true
    FROM ${range}`);
}

/** What is due now. */
export function leaseNow({ queue }: Replica, sessionId: string, maxItems = 100): Promise<readonly LeasedItem[]> {
  return queue.lease(sessionId, maxItems, 0, new AbortController().signal);
}

/** The report of a pass over `item`; SUCCESS on the generation it saw unless told otherwise. */
export function reportOf(item: LeasedItem, result: PassResult = { type: "SUCCESS" }): PassReport {
  return {
    key: item.resource.key,
    leaseToken: item.leaseToken,
    result,
    observedGeneration: item.resource.generation,
    statusJson: undefined,
    statusMode: "REPLACE",
    conditions: [],
    addFinalizers: [],
    removeFinalizers: [],
    labels: new Map(),
    annotations: new Map(),
  };
}

/** Reports on one item and returns the outcome. */
export async function report(
  { queue }: Replica,
  sessionId: string,
  item: LeasedItem,
  result?: PassResult,
): Promise<string | undefined> {
  const [answer] = await queue.report(sessionId, [reportOf(item, result)]);
  return answer?.outcome;
}

/** Runs `meanwhile` while a transaction holds the rows that `select` locks, and ends it with a rollback. */
export async function whileLocked(work: Work, select: string, meanwhile: () => Promise<void>): Promise<void> {
  const rollback = new Error("rolled back");
  const transaction = work.store.database.transaction(async (connection) => {
    await connection.query({ name: "lock-rows", text: `${select} FOR UPDATE`, isPrepared: false });
    await meanwhile();
    throw rollback;
  });
  await transaction.catch((error: unknown) => {
    if (error !== rollback) throw error;
  });
}

/** Resolves when a statement waits for a lock. */
export async function lockWait(work: Work): Promise<void> {
  const waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  await until(async () => (await work.sql(waiting)).length > 0, { what: "a statement waits for a lock" });
}

/** Lets `performance.now()` jump until the test ends: waits that are long on paper take no time. */
export function jumpingClock(): { jump(ms: number): void } {
  let skewMs = 0;
  const now = performance.now.bind(performance);
  const spy = vi.spyOn(performance, "now").mockImplementation(() => now() + skewMs);
  onTestFinished(() => spy.mockRestore());
  return {
    jump(ms) {
      skewMs += ms;
    },
  };
}

/** The first of a list that must not be empty. */
export function first<T>(values: readonly T[]): T {
  const [value] = values;
  if (value === undefined) throw new Error("expected at least one");
  return value;
}
