import pLimit from "p-limit";
import type { CommittedBatch, DurableChangeLog } from "../log/change-log.js";
import { Compactor } from "../log/compactor.js";
import { PostgresChangeLog } from "../log/postgres-change-log.js";
import type { Metrics } from "../observability/metrics.js";
import { BatchCommitter } from "./commit-batch.js";
import { countKinds } from "./count-kinds.js";
import { Database, DEFAULT_POOL_SIZE } from "./database.js";
import { openError } from "./driver-errors.js";
import { DryRun } from "./dry-run.js";
import { EventPartitions } from "./event-partitions.js";
import { GroupCommit } from "./group-commit.js";
import { listResources } from "./list-resources.js";
import { migrate, migrationNumber } from "./migrate.js";
import { ReadBatcher } from "./read-batch.js";
import { readHistory } from "./read-history.js";
import { readUnsettled, type UnsettledPage } from "./read-unsettled.js";
import { type CompatStreamsRow, READ_COMPAT_STREAMS } from "./statements/compat.js";
import { READ_STORE_HEALTH, type StoreHealthRow, TRY_WRITE } from "./statements/store.js";
import type { BulkSink, ResourceReader, StoreHealth, StoreIdentity } from "./store.js";
import { WriteHealth } from "./write-health.js";

/** How a store is opened. */
export interface StoreOptions {
  readonly databaseUrl: string;
  readonly poolSize?: number | undefined;
  /** Counts only when the store is created; 1 by default. */
  readonly logCount?: number | undefined;
  /**
   * Transactions in flight at most; 1 by default: on one PostgreSQL they share its disk and cores, and fewer, larger ones cost
   * less. With a database spread over machines as many as there are logs.
   */
  readonly commitConcurrency?: number | undefined;
  /** Hours of history that watches may resume in; 24 by default. */
  readonly retentionHours?: number | undefined;
  /** Switches the streams of existing operators on or off, for all replicas; undefined: as the store has it. */
  readonly compatStreams?: boolean | undefined;
  readonly metrics?: Metrics | undefined;
  readonly onIdleError?: ((error: Error) => void) | undefined;
  /** Called after every commit; writers are answered when it settles. */
  readonly onCommitted: (batch: CommittedBatch) => Promise<void>;
}

/** The open store: state, log and queue in one PostgreSQL database. */
export interface PostgresStore {
  readonly identity: StoreIdentity;
  readonly database: Database;
  readonly sink: BulkSink;
  /** Decides like `sink`, and writes nothing. */
  readonly dryRun: BulkSink;
  readonly reader: ResourceReader;
  readonly log: DurableChangeLog;
  readonly compactor: Compactor;
  /** Whether the store wants the streams of existing operators. */
  hasCompatStreams(): Promise<boolean>;
  /** Walks over the resources that are pending or being deleted: those of one log and, if given, of one shard. */
  readUnsettled(query: {
    readonly log: number;
    readonly shardId: string | undefined;
    readonly afterId: bigint;
  }): Promise<UnsettledPage>;
  /** Asks PostgreSQL now how it is, and how the store. */
  health(): Promise<StoreHealth>;
  /** Asks PostgreSQL now for a write: what keeps it from taking one; empty when nothing does. Never rejects. */
  problem(): Promise<string>;
  /** Makes partitions ahead and drops expired ones; call it every few minutes. */
  maintain(): Promise<void>;
  /** Finishes what was submitted, then disconnects. */
  close(): Promise<void>;
}

/**
 * Migrates, connects and prepares the partitions of the current hours. Throws UnfitDatabaseError when the database cannot be used;
 * DomainError UNAVAILABLE when it may be later.
 */
export async function openStore(options: StoreOptions): Promise<PostgresStore> {
  const { metrics } = options;
  const { searchPath, ...identity } = await migrate(options.databaseUrl, {
    logCount: options.logCount,
    compatStreams: options.compatStreams,
  });
  const database: Database = new Database({
    url: options.databaseUrl,
    searchPath,
    poolSize: options.poolSize,
    onIdleError: options.onIdleError,
    onStatement: metrics && ((name) => metrics.postgresStatements.inc({ statement: name })),
    onUnavailable: (error) => writes.onFailure(error),
  });
  const writes = new WriteHealth(() => database.query(TRY_WRITE));
  const partitions = new EventPartitions(database);
  await partitions.ensure().catch(async (error: unknown) => {
    await database.close();
    throw openError(error);
  });
  const reads = new ReadBatcher(database);
  // Lists are long and may be many; writes, leases and renewals must always find a connection.
  const limitLists = pLimit(Math.max(1, (options.poolSize ?? DEFAULT_POOL_SIZE) >> 1));
  const sink = new GroupCommit({
    committer: new BatchCommitter(database, identity.logCount),
    logCount: identity.logCount,
    concurrency: options.commitConcurrency ?? 1,
    ensurePartition: (bucket) => partitions.ensure(bucket),
    findResource: (key) => reads.get(key),
    onCommitted: (batch) => {
      if (batch.changes.length > 0) writes.onCommit();
      return options.onCommitted(batch);
    },
    onBatch:
      metrics &&
      ((items, durationMs) => {
        metrics.commitBatchItems.observe(items);
        metrics.commitDuration.observe(durationMs / 1000);
      }),
  });
  const reader: ResourceReader = {
    get: (key) => reads.get(key),
    list: (query) => limitLists(() => listResources(database, query)),
    history: (query) => limitLists(() => readHistory(database, query)),
    countKinds: () => limitLists(() => countKinds(database)),
  };
  const log = new PostgresChangeLog(database);
  const compactor = new Compactor(database, options.retentionHours ?? 24);
  return {
    identity,
    database,
    sink,
    dryRun: new DryRun(database, reader),
    reader,
    log,
    compactor,
    hasCompatStreams: async () => {
      const [row] = await database.query<CompatStreamsRow>(READ_COMPAT_STREAMS);
      return row?.compat_streams ?? false;
    },
    readUnsettled: (query) => limitLists(() => readUnsettled(database, query)),
    health: async () => {
      const [[row], extents, problem] = await Promise.all([
        database.query<StoreHealthRow>(READ_STORE_HEALTH),
        log.extents(),
        writes.problem(),
      ]);
      if (row === undefined) throw new Error("the store does not tell its state");
      const logs = extents.map(({ head, floor }) => ({ head: head.revision, floor: floor.revision }));
      return { version: row.version, now: row.now, schema: migrationNumber(row.migration), logs, problem };
    },
    problem: () => writes.problem(),
    maintain: async () => {
      await partitions.ensureAhead();
      await compactor.compact();
    },
    close: async () => {
      await sink.close();
      await database.close();
    },
  };
}
