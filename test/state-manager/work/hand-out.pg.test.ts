import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Command } from "../../../src/resource/command.js";
import { createLogger } from "../../../src/state-manager/observability/logger.js";
import { createMetrics } from "../../../src/state-manager/observability/metrics.js";
import type { CommandResult } from "../../../src/state-manager/store/store.js";
import { LeaseQuery } from "../../../src/state-manager/work/lease-query.js";
import { WorkQueue } from "../../../src/state-manager/work/work-queue.js";
import {
  first,
  jumpingClock,
  leaseNow,
  lockWait,
  openWork,
  registration,
  remove,
  report,
  type Work,
  write,
} from "./open-work.js";

let work: Work;
beforeAll(async () => {
  work = await openWork();
});
afterAll(() => work.close());
beforeEach(() => work.sql("TRUNCATE work_items, resources, sessions CASCADE"));

const items = () => work.queue.listWork({}, undefined, 1000);

describe("a hand-out that takes too long", () => {
  /** A queue over the same database in which `meanwhile` happens between the lease and its hand-out. */
  function slowQueue(meanwhile: () => Promise<void>): WorkQueue {
    const { database, sink, reader } = work.store;
    const submit = async (command: Command): Promise<CommandResult> => {
      const result = await sink.submit(command);
      if (command.type === "hold") await meanwhile();
      return result;
    };
    const metrics = createMetrics();
    return new WorkQueue({
      database,
      reader,
      sink: { submit },
      dryRun: { submit },
      metrics,
      logger: createLogger("error"),
    });
  }

  test("gives nothing to a worker whose lease went to another one meanwhile (I7)", async () => {
    const slow = await work.queue.register(registration({ instanceId: "slow", finalizer: "widgets/hold" }));
    const other = await work.queue.register(registration({ instanceId: "other" }));
    await write(work, "a");
    const clock = jumpingClock();
    const queue = slowQueue(async () => {
      await work.sql("UPDATE work_items SET leased_at = leased_at - interval '6 s'");
      clock.jump(6_000);
      // The worker cannot list what it has not got.
      await work.queue.renew(slow.sessionId, []);
      expect(await leaseNow(work, other.sessionId)).toHaveLength(1);
    });
    expect(await leaseNow({ ...work, queue }, slow.sessionId)).toEqual([]);
    expect(await items()).toMatchObject([{ lease: { sessionId: other.sessionId } }]);
  });

  test("gives the leases back, with no attempt counted, and the call waits on for as long as it may", async () => {
    const { sessionId } = await work.queue.register(registration({ finalizer: "widgets/hold" }));
    await write(work, "a");
    const clock = jumpingClock();
    const queue = slowQueue(async () => clock.jump(3_100));
    // The second time the finalizer is on, so nothing is slow.
    const leased = await queue.lease(sessionId, 1, 20_000, new AbortController().signal);
    expect(leased).toMatchObject([{ attempt: 1, reason: "CREATED", resource: { finalizers: ["widgets/hold"] } }]);
  });
});

test("objects too large for one answer come in several: no client's limit of 4 MiB is passed", async () => {
  const { sessionId } = await work.queue.register(registration());
  const spec = JSON.stringify("x".repeat(900 * 1024));
  for (let i = 0; i < 8; i++) await write(work, `r${i}`, { spec });
  const answers: string[][] = [];
  for (let left = 8; left > 0; ) {
    const leased = await leaseNow(work, sessionId);
    expect(leased.every(({ attempt, reason }) => attempt === 1 && reason === "CREATED")).toBe(true);
    answers.push(leased.map(({ resource }) => resource.key.name));
    left -= leased.length;
  }
  expect(answers.map(({ length }) => length)).toEqual([3, 3, 2]);
  expect(new Set(answers.flat()).size).toBe(8);
});

describe("a lease that cannot be handed out", () => {
  type End = (query: LeaseQuery, sessionId: string, token: string) => Promise<unknown>;
  const fail: End = (query, sessionId, token) => query.fail(sessionId, token, "no room");
  const giveBack: End = (query, sessionId, token) => query.giveBack(sessionId, [token]);

  /** Ends the lease of "a" while `change` is being committed over its item. */
  async function endDuring(change: string, end: End, before = ""): Promise<void> {
    const { sessionId } = await work.queue.register(registration({ backoffBaseMs: 60_000 }));
    await write(work, "a");
    const { leaseToken } = first(await leaseNow(work, sessionId));
    await work.sql(before);
    const query = new LeaseQuery(work.store.database);
    let ending: Promise<unknown> = Promise.resolve();
    await work.store.database.transaction(async (connection) => {
      await connection.query({ name: "change-item", text: change, isPrepared: false });
      ending = end(query, sessionId, leaseToken);
      await lockWait(work);
    });
    await ending;
  }

  test("backs off also when a commit holds its item at that moment", async () => {
    await endDuring("UPDATE work_items SET wanted = wanted + 1", fail);
    expect(await items()).toMatchObject([{ lease: null, failures: 1, lastError: "no room", reason: "RETRY" }]);
  });

  const REMOVED = "UPDATE work_items SET resource_id = NULL";
  test.each([
    ["failed", fail, ""],
    ["failed after its resource was removed", fail, REMOVED],
    ["given back", giveBack, ""],
    ["given back after its resource was removed", giveBack, REMOVED],
  ])("%s, leaves its key to a successor that comes at that moment", async (_, end, before) => {
    await endDuring("UPDATE work_items SET resource_id = 0, due_at = now(), reason = 'ENQUEUED'", end, before);
    expect(await items()).toMatchObject([{ lease: null, failures: 0, reason: "ENQUEUED" }]);
  });

  test("ends with its resource that is removed at that moment", async () => {
    await endDuring(REMOVED, fail);
    expect(await items()).toEqual([]);
  });
});

test("a migration that adds columns does not break a running replica", async () => {
  const pass = async () => {
    const { sessionId } = await work.queue.register(registration());
    await work.queue.renew(sessionId, []);
    await write(work, "a");
    expect(await work.queue.listWork({}, undefined, 10)).toHaveLength(1);
    expect(await work.queue.listSessions()).toHaveLength(1);
    // A replica that has not seen the registration reads it.
    await replica.queue.renew(sessionId, []);
    const item = first(await leaseNow(replica, sessionId));
    expect(await report(replica, sessionId, item)).toBe("ACCEPTED");
    await remove(work, "a");
    await work.queue.deregister(sessionId);
  };
  const replica = await work.addReplica();
  // Twice: prepared on the connections that will be asked again.
  await pass();
  await pass();
  const tables = await work.sql<{ tablename: string }>("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
  const partitions = await work.sql<{ relname: string }>("SELECT relname FROM pg_class WHERE relispartition");
  const isPartition = new Set(partitions.map(({ relname }) => relname));
  for (const { tablename } of tables.filter(({ tablename }) => !isPartition.has(tablename))) {
    await work.sql(`ALTER TABLE ${tablename} ADD COLUMN added_later integer`);
  }
  await pass();
});
