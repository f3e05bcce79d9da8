import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** 1 ms to 10 s: from a coalesced read to a write that waited for a lock timeout. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** 5 ms to 1,000 s: queue waits span the default back-off. */
const QUEUE_SECONDS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1000];
/** Powers of two up to the group commit's 256 items. */
const BATCH_ITEMS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** How often the delay of the event loop is sampled: each sample wakes an idle process, and 100 a second were most of what it did. */
const LOOP_DELAY_EVERY_MS = 100;

/** Every metric of a state-manager. Labels take few values: never a key, a shard or a token. */
export type Metrics = ReturnType<typeof createMetrics>;

/** Makes the metrics in their own registry, the process's default ones included. Call once per process. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_DELAY_EVERY_MS });
  const kindLabels = ["resource_group", "kind"] as const;
  return {
    registry,

    /** `protocol`: rest, connect, grpc, grpc-web; `method`: route or RPC; `code`: HTTP status or Connect code. */
    requestDuration: new Histogram({
      name: "reconcile_request_duration_seconds",
      help: "Time to answer a request; for a stream, the time to its first message.",
      labelNames: ["protocol", "method", "code"] as const,
      buckets: SECONDS,
      registers,
    }),
    requestsInFlight: new Gauge({
      name: "reconcile_requests_in_flight",
      help: "Requests and streams being answered.",
      labelNames: ["protocol"] as const,
      registers,
    }),

    commitBatchItems: new Histogram({
      name: "commit_batch_items",
      help: "Commands committed in one transaction.",
      buckets: BATCH_ITEMS,
      registers,
    }),
    commitDuration: new Histogram({
      name: "commit_duration_seconds",
      help: "Time from a batch's BEGIN to its COMMIT, retries included.",
      buckets: SECONDS,
      registers,
    }),
    postgresStatements: new Counter({
      name: "postgres_statements_total",
      help: "Statements sent to PostgreSQL, by name.",
      labelNames: ["statement"] as const,
      registers,
    }),

    /** `outcome`: appended, filled, restarted, already, failed. */
    publisherAppends: new Counter({
      name: "publisher_appends_total",
      help: "Runs of the script that appends a batch to a log's stream.",
      labelNames: ["outcome"] as const,
      registers,
    }),
    publisherEvents: new Counter({
      name: "publisher_events_total",
      help: "Events written to Redis Streams.",
      registers,
    }),
    publisherWaitTimeouts: new Counter({
      name: "publisher_wait_timeouts_total",
      help: "Batches answered before their publication had finished.",
      registers,
    }),
    /** `reason`: change, listing (the position was lost), unacknowledged. */
    compatEntries: new Counter({
      name: "compat_entries_total",
      help: "Entries written to the streams of existing operators, by why.",
      labelNames: ["reason"] as const,
      registers,
    }),

    /** `use`: connect, append, follow, read, notify, listen, cache. */
    redisFailing: new Gauge({
      name: "redis_failing",
      help: "1 while Redis does not do what the server needs it for, else 0.",
      labelNames: ["use"] as const,
      registers,
    }),

    /** `source`: memory, redis, postgres. */
    watchTailEvents: new Counter({
      name: "watch_tail_events_total",
      help: "Events the tail took in, by where they came from.",
      labelNames: ["source"] as const,
      registers,
    }),
    /** `source`: ring, redis, postgres. */
    watchEvents: new Counter({
      name: "watch_events_total",
      help: "Events read for watchers, before filtering, by where they came from.",
      labelNames: ["source"] as const,
      registers,
    }),
    watchWakeups: new Counter({
      name: "watch_wakeups_total",
      help: "Times a watch that waited was woken by news.",
      registers,
    }),
    watchers: new Gauge({ name: "watch_watchers", help: "Open watches.", registers }),

    workqueueAdds: new Counter({
      name: "workqueue_adds_total",
      help: "Times a resource became due.",
      labelNames: kindLabels,
      registers,
    }),
    workqueueDepth: new Gauge({
      name: "workqueue_depth",
      help: "Resources due and not leased, in the whole store.",
      labelNames: kindLabels,
      registers,
    }),
    workqueueLeases: new Gauge({
      name: "workqueue_leases",
      help: "Resources under lease, in the whole store.",
      labelNames: kindLabels,
      registers,
    }),
    workqueueQueueDuration: new Histogram({
      name: "workqueue_queue_duration_seconds",
      help: "Time from due to leased.",
      labelNames: kindLabels,
      buckets: QUEUE_SECONDS,
      registers,
    }),
    workqueueWorkDuration: new Histogram({
      name: "workqueue_work_duration_seconds",
      help: "Time from leased to reported.",
      labelNames: kindLabels,
      buckets: QUEUE_SECONDS,
      registers,
    }),
    workqueueRetries: new Counter({
      name: "workqueue_retries_total",
      help: "Passes that ended in an error or passed their deadline.",
      labelNames: kindLabels,
      registers,
    }),
  };
}
