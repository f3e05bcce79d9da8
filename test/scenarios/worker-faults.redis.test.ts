import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  type LeasedItem,
  type PassReport,
  type PassReportSchema,
  PassResult,
  ReportOutcome,
  WorkReason,
} from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { connect } from "../../src/client/connect.js";
import type { Connection } from "../../src/client/connection.js";
import { createResourceClient } from "../../src/client/index.js";
import { defineReconciler, done, runControlLoop } from "../../src/controlloop/index.js";
import { type Program, startProgram } from "../support/processes.js";
import { hasRedis } from "../support/redis.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

type Report = Exclude<MessageInitShape<typeof PassReportSchema>, PassReport>;

const PATIENT = { timeoutMs: 30_000 };
const KIND = "job";
const key = (name: string) => ({ resourceGroup: "work", kind: KIND, namespace: "default", name });

describe.skipIf(!hasRedis)("workers", { timeout: 90_000 }, () => {
  it("that are killed lose their work to others in about a second, because they were attached (2.9)", async () => {
    const world = await World.open({ redis: true });
    const client = clientOf(world, 0);
    const doomed = startWorkerProcess(world.replica(0).url, 60_000);
    const names = Array.from({ length: 20 }, (_, i) => `n${i}`);
    await Promise.all(names.map((name) => client.apply({ key: key(name), spec: { hold: true } })));
    await until(() => started(doomed).length === names.length, PATIENT);
    const heir = await openSession(world.replica(1).url, "heir");
    const leased: LeasedItem[] = [];
    const waiting = heir.lease(20);
    const startedAt = performance.now();
    await doomed.kill();
    leased.push(...(await waiting));
    while (leased.length < names.length) leased.push(...(await heir.lease(20)));
    // Its session would last for a minute, and a lost ring would be found after 5 s.
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    expect(leased.map(({ resource }) => resource?.key?.name).sort()).toEqual(names.sort());
    expect(new Set(leased.map(({ reason }) => reason))).toEqual(new Set([WorkReason.WORKER_DIED]));
  });

  it("that were paused past their lease find it gone when they wake, and change nothing (I7, I8)", async () => {
    const world = await World.open({ redis: true });
    const client = clientOf(world, 0);
    const paused = startWorkerProcess(world.replica(0).url, 1_500);
    await client.apply({ key: key("a"), spec: { hold: true } });
    await until(() => started(paused).length === 1, PATIENT);
    paused.signal("SIGSTOP");
    // The session ends with its lease; until then nobody else may hold the key.
    const heir = await openSession(world.replica(1).url, "heir");
    const [item] = await heir.leaseSome(1);
    expect(
      await heir.report(item, { result: PassResult.SUCCESS, observedGeneration: 1n, statusJson: '{"by":"heir"}' }),
    ).toBe(ReportOutcome.ACCEPTED);
    const written = await client.get(key("a"));
    paused.signal("SIGCONT");
    await until(() => paused.lines.some(({ event }) => event === "aborted"), PATIENT);
    // It is back in business with a new session, so what it had to say about the old lease has been said.
    await client.apply({ key: key("b"), spec: {} });
    await until(async () => (await client.get(key("b")))?.observedGeneration === 1n, PATIENT);
    expect(await client.get(key("a"))).toMatchObject({ statusJson: '{"by":"heir"}', revision: written?.revision });
    expect(started(paused)).toEqual(["a", "b"]);
  });

  it("keep every lease while all servers are restarted, one after the other (2.9)", async () => {
    const world = await World.open();
    const client = clientOf(world, 0);
    const worker = startWorkerProcess(world.replica(0).url, 60_000);
    const names = Array.from({ length: 10 }, (_, i) => `n${i}`);
    await Promise.all(names.map((name) => client.apply({ key: key(name), spec: { hold: true } })));
    await until(() => started(worker).length === names.length, PATIENT);
    const leases = () => world.sql("SELECT name, lease_token, lease_session_id, deaths FROM work_items ORDER BY name");
    const attachment = async () => (await world.sql("SELECT attachment FROM sessions"))[0]?.attachment;
    const [before, attachedBefore] = [await leases(), await attachment()];
    for (const replica of world.replicas) {
      replica.program.signal("SIGTERM");
      expect(await replica.program.exited).toBe(0);
      await replica.start();
    }
    await until(async () => ![null, attachedBefore].includes(await attachment()), {
      ...PATIENT,
      what: "attached again",
    });
    expect(await leases()).toEqual(before);
    expect(before).toHaveLength(names.length);
    expect(worker.lines.some(({ event }) => event === "aborted")).toBe(false);
    // And it is not only said to be there: it takes new work, under the same session.
    await client.apply({ key: key("new"), spec: {} });
    await until(async () => (await client.get(key("new")))?.observedGeneration === 1n, PATIENT);
    expect(started(worker)).toHaveLength(names.length + 1);
    expect((await leases()).length).toBe(names.length);
  });

  it("that report with an old token change nothing, and are told so (I8)", async () => {
    const world = await World.open({ replicas: 1 });
    const client = clientOf(world, 0);
    await client.apply({ key: key("a"), spec: 1 });
    const [older, newer] = [
      await openSession(world.replica(0).url, "same"),
      await openSession(world.replica(0).url, "other"),
    ];
    const [first] = await older.leaseSome(1);
    await older.detach();
    const [second] = await newer.leaseSome(1);
    expect(second.leaseToken).not.toBe(first.leaseToken);
    const before = await client.get(key("a"));
    const news = {
      result: PassResult.SUCCESS,
      observedGeneration: 1n,
      statusJson: '"stale"',
      addFinalizers: ["stale"],
    };
    for (const session of [older, newer]) expect(await session.report(first, news)).toBe(ReportOutcome.STALE);
    expect(await older.report(second, news)).toBe(ReportOutcome.STALE);
    expect(await client.get(key("a"))).toEqual(before);
    expect(await newer.report(second, { result: PassResult.SUCCESS, observedGeneration: 1n })).toBe(
      ReportOutcome.ACCEPTED,
    );
    // A token is good for one report.
    expect(await newer.report(second, news)).toBe(ReportOutcome.STALE);
    expect((await client.get(key("a")))?.statusJson).toBe("null");
  });

  it("of one kind at two replicas share 600 resources, hold none twice and leave none out (I7)", async () => {
    const world = await World.open({ redis: true });
    const held = new Map<string, number>();
    const passes = [0, 0];
    const violations: string[] = [];
    const loops = world.replicas.map(({ url }, worker) =>
      runControlLoop({
        serverUrl: url,
        logger: pino({ level: "silent" }),
        reconcilers: [
          defineReconciler<number, { seen: number }>({
            name: "job-reconciler",
            resourceGroup: "work",
            kind: KIND,
            concurrency: 32,
            async reconcile({ key: { name }, spec }) {
              if (held.has(name)) violations.push(`${name} went to ${worker} while ${held.get(name)} held it`);
              held.set(name, worker);
              passes[worker] = (passes[worker] ?? 0) + 1;
              // A turn through the event loop in which another pass over it would show.
              await new Promise(setImmediate);
              held.delete(name);
              return done({ seen: spec });
            },
          }),
        ],
      }),
    );
    onTestFinished(() => Promise.all(loops.map((loop) => loop.stop())).then(() => {}));
    const clients = [clientOf(world, 0), clientOf(world, 1)];
    const names = Array.from({ length: 600 }, (_, i) => `n${i}`);
    for (const spec of [1, 2]) {
      await Promise.all(names.map((name, i) => clients[i % 2]?.apply({ key: key(name), spec })));
    }
    const client = clientOf(world, 0);
    const pending = async () => {
      for await (const _ of client.list({ kind: KIND }, { pending: true, pageSize: 1 })) return true;
      return false;
    };
    await until(async () => !(await pending()), { ...PATIENT, what: "everything is reconciled" });
    await until(async () => (await world.sql("SELECT 1 FROM work_items")).length === 0, {
      ...PATIENT,
      what: "the queue is empty",
    });
    expect(violations).toEqual([]);
    for (const count of passes) expect(count).toBeGreaterThan(60);
    let count = 0;
    for await (const resource of client.list<number, { seen: number }>({ kind: KIND })) {
      count++;
      expect(resource).toMatchObject({ generation: 2n, observedGeneration: 2n, status: { seen: 2 } });
    }
    expect(count).toBe(600);
  });
});

describe("during a lease", { timeout: 60_000 }, () => {
  const success = (item: LeasedItem, fields: Report = {}) => ({
    result: PassResult.SUCCESS,
    observedGeneration: item.resource?.generation ?? 0n,
    statusJson: '{"by":"worker"}',
    ...fields,
  });

  async function leaseOne() {
    const world = await World.open({ replicas: 1 });
    const client = clientOf(world, 0);
    const session = await openSession(world.replica(0).url, "worker");
    await client.apply({ key: key("a"), spec: 1 });
    const [item] = await session.leaseSome(1);
    return { client, session, item };
  }

  it("a change causes exactly one more pass, however many there were (I7)", async () => {
    const { client, session, item } = await leaseOne();
    for (const spec of [2, 3, 4]) await client.apply({ key: key("a"), spec });
    expect(await session.lease(1, 0)).toEqual([]);
    expect(await session.report(item, success(item))).toBe(ReportOutcome.ACCEPTED);
    expect(await client.get(key("a"))).toMatchObject({ generation: 4n, observedGeneration: 1n });
    const [next] = await session.leaseSome(1);
    expect(next).toMatchObject({
      attempt: 1,
      reason: WorkReason.SPEC_CHANGED,
      resource: { generation: 4n, specJson: "4" },
    });
    expect(await session.report(next, success(next))).toBe(ReportOutcome.ACCEPTED);
    expect(await session.lease(1, 0)).toEqual([]);
    expect(await client.get(key("a"))).toMatchObject({ observedGeneration: 4n });
  });

  it("a deletion ends the work without a trace, or brings the one pass that cleans up (I5)", async () => {
    const { client, session, item } = await leaseOne();
    expect(await client.delete(key("a"))).toMatchObject({ removed: true });
    expect(await session.report(item, success(item))).toBe(ReportOutcome.ACCEPTED);
    expect(await session.lease(1, 0)).toEqual([]);
    expect(await client.get(key("a"))).toBeUndefined();

    await client.create({ key: key("a"), spec: 1, finalizers: ["work/hold"] });
    const [held] = await session.leaseSome(1);
    expect(await client.delete(key("a"))).toMatchObject({ removed: false });
    // This pass began before anybody asked for the deletion, so it proves nothing about it.
    expect(await session.report(held, success(held))).toBe(ReportOutcome.ACCEPTED);
    const [last] = await session.leaseSome(1);
    expect(last.reason).toBe(WorkReason.DELETION_REQUESTED);
    expect(last.resource?.deletionRequestedAt).toBeDefined();
    expect(await session.report(last, success(last, { removeFinalizers: ["work/hold"] }))).toBe(ReportOutcome.ACCEPTED);
    expect(await client.get(key("a"))).toBeUndefined();
    expect(await session.lease(1, 0)).toEqual([]);
  });

  it("a deletion and re-creation brings one pass over the successor, which the old pass does not touch (I7)", async () => {
    const { client, session, item } = await leaseOne();
    await client.delete(key("a"));
    const successor = await client.create({ key: key("a"), spec: 2 });
    expect(successor.uid).not.toBe(item.resource?.uid);
    // The old pass may still be acting on what the key stands for.
    expect(await session.lease(1, 0)).toEqual([]);
    expect(await session.report(item, success(item, { addFinalizers: ["old"], labels: { old: { value: "1" } } }))).toBe(
      ReportOutcome.ACCEPTED,
    );
    expect(await client.get(key("a"))).toEqual(successor);
    const [next] = await session.leaseSome(1);
    expect(next.resource).toMatchObject({ uid: successor.uid, specJson: "2", generation: 1n });
    expect(await session.report(next, success(next))).toBe(ReportOutcome.ACCEPTED);
    expect(await session.lease(1, 0)).toEqual([]);
    expect(await client.get(key("a"))).toMatchObject({
      uid: successor.uid,
      statusJson: '{"by":"worker"}',
      observedGeneration: 1n,
    });
  });
});

function startWorkerProcess(url: string, leaseDurationMs: number): Program {
  const program = startProgram("test/support/worker-process.mjs", { args: [url, KIND, String(leaseDurationMs)] });
  onTestFinished(() => program.kill());
  return program;
}

function started({ lines }: Program): readonly unknown[] {
  return lines.filter(({ event }) => event === "started").map(({ name }) => name);
}

function clientOf(world: World, replica: number) {
  const client = createResourceClient(world.replica(replica).url);
  onTestFinished(() => client.close());
  return client;
}

/** A worker by hand: every call as it goes over the wire. */
async function openSession(url: string, instanceId: string) {
  const connection: Connection = connect(url);
  onTestFinished(() => connection.close());
  const api = connection.reconcilers;
  const { sessionId } = await api.register({
    name: "job-reconciler",
    instanceId,
    kinds: [{ resourceGroup: "work", kind: KIND }],
    concurrency: 64,
  });
  const attachment = new AbortController();
  const attached = (async () => {
    for await (const _ of api.attach({ sessionId }, { signal: attachment.signal }));
  })().catch(() => {}); // It ends with an error whenever the worker ends it.
  const lease = async (maxItems: number, waitMs = 20_000) =>
    (await api.lease({ sessionId, maxItems, wait: durationFromMs(waitMs) })).items;
  return {
    lease,
    /** At least one, or it fails. */
    async leaseSome(maxItems: number): Promise<[LeasedItem, ...LeasedItem[]]> {
      const [first, ...others] = await lease(maxItems);
      if (first === undefined) throw new Error("nothing came due");
      return [first, ...others];
    },
    async report(item: LeasedItem, report: Report): Promise<ReportOutcome | undefined> {
      const key = item.resource?.key;
      const whole = { ...report, leaseToken: item.leaseToken, ...(key !== undefined && { key }) };
      const { results } = await api.report({ sessionId, reports: [whole] });
      return results[0]?.outcome;
    },
    detach: async () => {
      attachment.abort();
      await attached;
    },
  };
}
