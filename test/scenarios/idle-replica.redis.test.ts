import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it, onTestFinished } from "vitest";
import { PassResult } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { connect } from "../../src/client/connect.js";
import type { Connection } from "../../src/client/connection.js";
import { hasRedis } from "../support/redis.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

/** The rate is the promise, so here, and only here, time itself is awaited. */
const WINDOW_MS = 20_000;
const STATEMENTS_PER_SECOND = 0.5;

describe.skipIf(!hasRedis)("an idle replica", () => {
  it("with watchers and waiting Lease calls sends at most a statement every two seconds (I9)", {
    timeout: 60_000,
  }, async () => {
    const settings = { log_statement: "all", log_line_prefix: "%a " };
    const world = await World.open({ redis: true, replicas: 1, ownPostgres: settings });
    const replica = world.replica(0);
    const watchers = [
      world.observe({ protocol: "sse", sendInitialState: true }),
      world.observe({ protocol: "grpc", filter: { kind: "one" } }),
      world.observe({ protocol: "connect", filter: { tier: "web" } }),
    ];
    await Promise.all(["one", "two", "three"].map((kind) => waitForWork(replica.url, kind)));
    await until(() => watchers.every(({ isPlaced }) => isPlaced));
    await until(async () => (await replica.metric("reconcile_requests_in_flight")) >= 9, { what: "all calls wait" });

    const log = join(dirname(world.postgres.dataDir), "server.log");
    // PostgreSQL's own account; the replica's must not leave anything out.
    const logged = () =>
      readFileSync(log, "utf8")
        .split("\n")
        .filter((line) => /^replica-0 .*(statement|execute)/.test(line)).length;
    const counted = () => replica.metric("postgres_statements_total");
    await quiet(logged);
    const before = { logged: logged(), counted: await counted() };
    const startedAt = performance.now();
    await sleep(WINDOW_MS);
    const seconds = (performance.now() - startedAt) / 1000;
    const [sent, told] = [logged() - before.logged, (await counted()) - before.counted];

    expect(sent / seconds).toBeLessThanOrEqual(STATEMENTS_PER_SECOND);
    // One for the depth of the queue, which each look at the metrics counts.
    expect(Math.abs(sent - told)).toBeLessThanOrEqual(2);
    expect(watchers.map(({ connects, refusal }) => [connects, refusal])).toEqual(Array(3).fill([1, undefined]));
  });
});

/** Resolves when what the calls begin with is over: nothing was counted for a second. */
async function quiet(count: () => number): Promise<void> {
  let last = { count: -1, at: 0 };
  await until(
    () => {
      const now = { count: count(), at: performance.now() };
      if (now.count !== last.count) last = now;
      return now.at - last.at > 1_000;
    },
    { timeoutMs: 30_000, what: "no statement for a second" },
  );
}

/** Two resources: the pass over one lasts on, the other wants its next pass in an hour. */
async function leaveWork({ resources, reconcilers }: Connection, sessionId: string, kind: string): Promise<void> {
  for (const name of ["held", "later"]) {
    const key = { resourceGroup: "load", kind, namespace: "default", name };
    await resources.createResource({ resource: { key, shardId: "s0" } });
  }
  for (let leased = 0; leased < 2; ) {
    const { items } = await reconcilers.lease({ sessionId, maxItems: 2, wait: durationFromMs(10_000) });
    leased += items.length;
    for (const { resource, leaseToken } of items) {
      if (resource?.key?.name !== "later") continue;
      const report = { key: resource.key, leaseToken, requeueAfter: durationFromMs(3_600_000) };
      await reconcilers.report({ sessionId, reports: [{ ...report, result: PassResult.REQUEUE_AFTER }] });
    }
  }
}

/** A worker of `kind` that is attached and waits in Lease for longer than anybody looks. */
async function waitForWork(url: string, kind: string): Promise<void> {
  const connection = connect(url);
  onTestFinished(() => connection.close());
  const { sessionId } = await connection.reconcilers.register({
    name: `${kind}-reconciler`,
    instanceId: "idle",
    kinds: [{ resourceGroup: "load", kind }],
    leaseDuration: durationFromMs(600_000),
  });
  await leaveWork(connection, sessionId, kind);
  const ended = () => {}; // They end when the connection is closed.
  (async () => {
    for await (const _ of connection.reconcilers.attach({ sessionId }));
  })().catch(ended);
  connection.reconcilers.lease({ sessionId, maxItems: 1, wait: durationFromMs(60_000) }).catch(ended);
}
