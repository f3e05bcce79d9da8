import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { WorkItem } from "../../../src/resource/work.js";
import { until } from "../../support/until.js";
import {
  first,
  keyOf,
  leaseNow,
  openWork,
  registration,
  remove,
  report,
  reportOf,
  type Work,
  write,
} from "./open-work.js";

let work: Work;
beforeEach(async () => {
  work = await openWork();
});
afterEach(() => work.close());

const register = (over = {}) => work.queue.register(registration(over));
const itemOf = async (name: string): Promise<WorkItem> => {
  const items = await work.queue.listWork({}, undefined, 1000);
  return first(items.filter(({ key }) => key.name === name));
};
const dueInMinutes = async (name: string) => {
  const { dueAt } = await itemOf(name);
  return dueAt === null ? undefined : Math.max(0, Math.round((dueAt.getTime() - Date.now()) / 60_000));
};

/** The hand-out's mark of a lease that was given alone. */
const markSolo = () => work.sql("UPDATE work_items SET lease_is_solo = true WHERE lease_token IS NOT NULL");

/** Makes everything due. */
const hurry = () => work.sql("UPDATE work_items SET due_at = now() WHERE due_at IS NOT NULL");

/** Ways for a worker to die. */
const DEATHS = {
  "its session expires": async (sessionId: string) => {
    await work.sql("UPDATE sessions SET expires_at = now() - interval '1 ms' WHERE session_id = $1", [sessionId]);
    work.queue.start();
  },
  "its Attach ends": async (sessionId: string) => {
    const client = new AbortController();
    const stream = work.queue.attach(sessionId, client.signal);
    await stream.next();
    client.abort();
    await stream.next();
  },
  "its instance registers again": async () => {
    await register();
  },
};

/** Lets a worker die `times` times over all that is due, which is a single resource. */
async function dieOver(name: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await hurry();
    const { sessionId } = await register();
    expect(await leaseNow(work, sessionId)).toHaveLength(1);
    await markSolo();
    await register();
  }
  expect(await itemOf(name)).toMatchObject({ lease: null });
}

const statusOf = async (name: string) => JSON.parse((await work.store.reader.get(keyOf(name)))?.statusJson ?? "null");
const conditionOf = async (name: string) => (await statusOf(name))?.conditions?.[0];

describe("a worker that dies strikes all it held", () => {
  test.each(Object.entries(DEATHS))("when %s", async (_how, die) => {
    await write(work, "a");
    await write(work, "b");
    const { sessionId } = await register();
    expect(await leaseNow(work, sessionId)).toHaveLength(2);
    await die(sessionId);
    await until(async () => (await itemOf("b")).deaths === 1, { what: "a death over b" });
    for (const name of ["a", "b"]) {
      expect(await itemOf(name)).toMatchObject({
        lease: null,
        deaths: 1,
        strikes: 0,
        failures: 0,
        reason: "WORKER_DIED",
        message: expect.stringMatching(/^worker widgets\/one died: it/),
        lastError: expect.stringMatching(/^worker widgets\/one died: it/),
      });
      expect(await dueInMinutes(name)).toBe(0);
    }
  });

  test("and counts it only when it was all the worker held", async () => {
    await write(work, "a");
    await write(work, "b");
    const { sessionId } = await register();
    expect(await leaseNow(work, sessionId)).toHaveLength(2);
    await markSolo();
    await register();
    expect([await itemOf("a"), await itemOf("b")]).toMatchObject([{ strikes: 0 }, { strikes: 0 }]);
    await remove(work, "b");
    await dieOver("a", 1);
    expect(await itemOf("a")).toMatchObject({ deaths: 2, strikes: 1 });
  });

  test("but not the successor of what it held", async () => {
    await write(work, "a");
    const { sessionId } = await register();
    await leaseNow(work, sessionId);
    await markSolo();
    await work.store.sink.submit({ type: "delete", key: keyOf("a"), expected: {} });
    await write(work, "a");
    await register();
    expect(await itemOf("a")).toMatchObject({
      lease: null,
      deaths: 0,
      strikes: 0,
      lastError: "",
      reason: "CREATED",
    });
  });

  test("a change meanwhile stays the reason shown", async () => {
    await write(work, "a");
    const { sessionId } = await register();
    await leaseNow(work, sessionId);
    await write(work, "a", { spec: "2" });
    await register();
    expect(await itemOf("a")).toMatchObject({ deaths: 1, reason: "SPEC_CHANGED", message: "" });
  });
});

describe("nothing is struck", () => {
  const ways: Record<string, (sessionId: string) => Promise<unknown>> = {
    "by Deregister": (sessionId) => work.queue.deregister(sessionId),
    "by a Renew that does not list the lease": async (sessionId) => {
      await work.sql("UPDATE work_items SET leased_at = now() - interval '6 s'");
      await work.queue.renew(sessionId, []);
    },
    "by the server's stop": async (sessionId) => {
      const { queue } = await work.addReplica();
      const stream = queue.attach(sessionId, new AbortController().signal);
      await stream.next();
      await queue.stop();
    },
  };
  test.each(Object.entries(ways))("%s", async (_what, end) => {
    await write(work, "a");
    const { sessionId } = await register();
    await leaseNow(work, sessionId);
    await markSolo();
    await end(sessionId);
    expect(await itemOf("a")).toMatchObject({ deaths: 0, strikes: 0, lastError: "" });
  });

  test("by RELEASE, and any other report forgives", async () => {
    await write(work, "a");
    await dieOver("a", 2);
    const { sessionId } = await register();
    expect(await report(work, sessionId, first(await leaseNow(work, sessionId)), { type: "RELEASE" })).toBe("ACCEPTED");
    expect(await itemOf("a")).toMatchObject({ deaths: 2, strikes: 2 });
    const item = first(await leaseNow(work, sessionId));
    expect(await report(work, sessionId, item, { type: "REQUEUE_AFTER", afterMs: 1_000 })).toBe("ACCEPTED");
    expect(await itemOf("a")).toMatchObject({ deaths: 0, strikes: 0 });
  });
});

describe("quarantine", () => {
  test("begins with the fifth strike in a row: tried every 10 minutes, whatever enqueues come", async () => {
    await write(work, "a");
    await dieOver("a", 4);
    expect(await itemOf("a")).toMatchObject({ strikes: 4, quarantinedAt: null });
    expect(await dueInMinutes("a")).toBe(0);
    await dieOver("a", 1);
    const { quarantinedAt, wanted } = await itemOf("a");
    expect(quarantinedAt).toBeInstanceOf(Date);
    expect(await dueInMinutes("a")).toBe(10);
    await work.queue.enqueue(keyOf("a"), "now!");
    const labels = new Map([["l", "v"]]);
    const metadata = { shardId: "main", labels, annotations: new Map(), finalizers: [] };
    const change = { key: keyOf("a"), statusJson: "{}", observedGeneration: undefined, metadata, expected: {} };
    await work.store.sink.submit({ type: "update-status", ...change });
    expect(await itemOf("a")).toMatchObject({ wanted: wanted + 2n, strikes: 5, quarantinedAt });
    expect(await dueInMinutes("a")).toBe(10);
    // The next death changes nothing but the count.
    await dieOver("a", 1);
    expect(await itemOf("a")).toMatchObject({ strikes: 6, quarantinedAt });
    expect(await dueInMinutes("a")).toBe(10);
  });

  test("a try that is wanted again, or outlives its deadline, does not bring the next one forward", async () => {
    await write(work, "a");
    await dieOver("a", 5);
    await hurry();
    const { sessionId } = await register();
    await leaseNow(work, sessionId);
    await work.queue.enqueue(keyOf("a"), "now!");
    await markSolo();
    await register();
    expect(await dueInMinutes("a")).toBe(10);
    await hurry();
    const [session] = await work.queue.listSessions();
    await leaseNow(work, session?.sessionId ?? "");
    await work.sql("UPDATE work_items SET lease_deadline = now()");
    work.queue.start();
    await until(async () => (await itemOf("a")).failures === 1, { what: "the deadline passed" });
    expect(await itemOf("a")).toMatchObject({ quarantinedAt: expect.any(Date), reason: "DEADLINE_EXCEEDED" });
    expect(await dueInMinutes("a")).toBe(10);
  });

  test("is shown by a condition that any replica writes, once, and that asks for no pass", async () => {
    await write(work, "a");
    await dieOver("a", 5);
    expect(await statusOf("a")).toBeNull();
    const { wanted } = await itemOf("a");
    for (const { queue } of [await work.addReplica(), await work.addReplica()]) queue.start();
    await until(async () => (await itemOf("a")).isQuarantineShown, { what: "the condition is written" });
    expect(await conditionOf("a")).toMatchObject({
      type: "Quarantined",
      status: "True",
      reason: "WorkersDied",
      message: expect.stringContaining("5 workers in a row died"),
    });
    expect((await conditionOf("a")).message).toContain("widgets/one");
    expect(await itemOf("a")).toMatchObject({ wanted, strikes: 5 });
    expect((await work.store.reader.get(keyOf("a")))?.writeCount).toBe(2n);
  });

  test("a status that is no object is left alone", async () => {
    await write(work, "a");
    await work.sql(`UPDATE resources SET status = '"text"'`);
    await dieOver("a", 5);
    work.queue.start();
    await until(async () => (await itemOf("a")).isQuarantineShown, { what: "it was tried" });
    expect(await statusOf("a")).toBe("text");
    expect(await dueInMinutes("a")).toBe(10);
  });

  describe("once shown, ends", () => {
    beforeEach(async () => {
      await write(work, "a");
      await dieOver("a", 5);
      work.queue.start();
      await until(async () => (await itemOf("a")).isQuarantineShown, { what: "the condition is written" });
    });

    test("with a new generation", async () => {
      await write(work, "a", { spec: "2" });
      expect(await conditionOf("a")).toMatchObject({ status: "False", reason: "NewGeneration" });
      expect(await itemOf("a")).toMatchObject({ quarantinedAt: null, strikes: 0, deaths: 0 });
      expect(await dueInMinutes("a")).toBe(0);
    });

    test("with a release, which wakes whoever waits and works once", async () => {
      const { sessionId } = await register();
      const waiting = work.queue.lease(sessionId, 1, 20_000, new AbortController().signal);
      await work.queue.releaseQuarantine(keyOf("a"));
      expect(first(await waiting)).toMatchObject({ reason: "RELEASED" });
      expect(await conditionOf("a")).toMatchObject({ status: "False", reason: "Released" });
      await expect(work.queue.releaseQuarantine(keyOf("a"))).rejects.toMatchObject({
        code: "FAILED_PRECONDITION",
        reason: "NOT_QUARANTINED",
      });
      await expect(work.queue.releaseQuarantine(keyOf("b"))).rejects.toMatchObject({ reason: "NOT_FOUND" });
    });

    test("with a try that its worker survives", async () => {
      await hurry();
      const { sessionId } = await register();
      expect(await report(work, sessionId, first(await leaseNow(work, sessionId)))).toBe("ACCEPTED");
      expect(await conditionOf("a")).toMatchObject({ status: "False", reason: "PassSucceeded" });
      expect(await work.queue.listWork({}, undefined, 10)).toEqual([]);
    });
  });
});

test("pending_since tells since when, through sweep and Enqueue too", async () => {
  const { sessionId } = await register({ resyncPeriodMs: 1_000 });
  await write(work, "a");
  const { pendingSince } = await itemOf("a");
  expect(pendingSince).toBeInstanceOf(Date);
  const item = first(await leaseNow(work, sessionId));
  const failed = { ...reportOf(item, { type: "ERROR", error: "no disk" }), observedGeneration: undefined };
  await work.queue.report(sessionId, [failed]);
  expect((await itemOf("a")).pendingSince).toEqual(pendingSince);
  for (const find of [() => work.queue.enqueue(keyOf("a"), ""), async () => work.queue.start()]) {
    await work.sql("DELETE FROM work_items");
    await find();
    await until(async () => (await work.queue.listWork({}, undefined, 1)).length > 0, { what: "a is queued" });
    expect((await itemOf("a")).pendingSince).toBeInstanceOf(Date);
  }
});
