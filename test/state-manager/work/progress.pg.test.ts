import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { PassResult } from "../../../src/resource/work.js";
import { first, leaseNow, openWork, registration, remove, report, type Work, write } from "./open-work.js";

let work: Work;
beforeAll(async () => {
  work = await openWork();
});
afterAll(() => work.close());
beforeEach(() => work.sql("TRUNCATE work_items, resources, sessions, reconciled_kinds CASCADE"));

const register = (over = {}) => work.queue.register(registration(over));
const bytes = (text: string) => new TextEncoder().encode(text);
const progressOf = async () => first(await work.queue.listWork({}, undefined, 10)).progress;

/** A leased resource whose holder said "half way" and left a checkpoint. */
async function advanced() {
  const { sessionId } = await register();
  await write(work, "a");
  const item = first(await leaseNow(work, sessionId));
  const { leaseToken } = item;
  const progress = [{ leaseToken, message: "half way", checkpoint: bytes("page 7") }];
  expect(await work.queue.renew(sessionId, [leaseToken], progress)).toEqual([]);
  return { sessionId, item };
}

const heritage = ({ progress, checkpoint }: { progress: string; checkpoint: Uint8Array | undefined }) => ({
  progress,
  checkpoint: checkpoint && new TextDecoder().decode(checkpoint),
});
const KEPT = { progress: "half way", checkpoint: "page 7" };
const NONE = { progress: "", checkpoint: undefined };

describe("the next holder gets checkpoint and progress", () => {
  const results: [string, PassResult][] = [
    ["an error", { type: "ERROR", error: "no disk" }],
    ["REQUEUE_AFTER", { type: "REQUEUE_AFTER", afterMs: 1 }],
    ["a release", { type: "RELEASE" }],
  ];
  const hurry = () => work.sql("UPDATE work_items SET due_at = now()");

  test.each(results)("after %s", async (_what, result) => {
    const { sessionId, item } = await advanced();
    expect(heritage(item)).toEqual(NONE);
    await report(work, sessionId, item, result);
    await hurry();
    expect(heritage(first(await leaseNow(work, sessionId)))).toEqual(KEPT);
  });

  test("after its worker's death", async () => {
    await advanced();
    const { sessionId } = await register();
    expect(heritage(first(await leaseNow(work, sessionId)))).toEqual(KEPT);
  });

  test("after its deadline", async () => {
    const { sessionId } = await advanced();
    await work.sql("UPDATE work_items SET lease_deadline = now()");
    const replica = await work.addReplica();
    replica.queue.start();
    const next = await work.queue.lease(sessionId, 1, 20_000, new AbortController().signal);
    expect(heritage(first(next))).toEqual(KEPT);
    await replica.queue.stop();
  });

  test("but not after a success, though another pass follows", async () => {
    const { sessionId, item } = await advanced();
    await write(work, "a", { spec: "2" });
    await report(work, sessionId, item);
    expect(heritage(first(await leaseNow(work, sessionId)))).toEqual(NONE);
  });

  test("but not of a resource that took the key over, also when the old holder goes on telling", async () => {
    const { sessionId, item } = await advanced();
    await remove(work, "a");
    await write(work, "a");
    await work.queue.renew(
      sessionId,
      [item.leaseToken],
      [{ leaseToken: item.leaseToken, message: "still at it", checkpoint: bytes("page 8") }],
    );
    await report(work, sessionId, item);
    expect(heritage(first(await leaseNow(work, sessionId)))).toEqual(NONE);
  });
});

test("what is not said stays; an empty checkpoint takes it back", async () => {
  const { sessionId, item } = await advanced();
  const { leaseToken } = item;
  const tell = (message: string, checkpoint?: Uint8Array) =>
    work.queue.renew(sessionId, [leaseToken], [{ leaseToken, message, checkpoint }]);
  await tell("nearly there");
  expect(await progressOf()).toBe("nearly there");
  await tell("", bytes("page 9"));
  expect(await progressOf()).toBe("nearly there");
  await tell("", new Uint8Array());
  await report(work, sessionId, item, { type: "RELEASE" });
  expect(heritage(first(await leaseNow(work, sessionId)))).toEqual({ progress: "nearly there", checkpoint: undefined });
});

test("of a lease that was lost nothing is stored, and the answer says so", async () => {
  const { sessionId, item } = await advanced();
  const { leaseToken } = item;
  const heir = await register({ instanceId: "two" });
  await report(work, sessionId, item, { type: "RELEASE" });
  await leaseNow(work, heir.sessionId);
  const progress = [{ leaseToken, message: "late", checkpoint: bytes("late") }];
  expect(await work.queue.renew(sessionId, [leaseToken], progress)).toEqual([leaseToken]);
  expect(await progressOf()).toBe("half way");
});

test("an ordinary renewal, and a lease without a checkpoint, cost no statement more", async () => {
  const { sessionId } = await register();
  await write(work, "a");
  const extra = async () => {
    const sent = await work.statements();
    return ["save-progress", "read-checkpoints"].map((name) => sent.get(name));
  };
  const before = await extra();
  const { leaseToken } = first(await leaseNow(work, sessionId));
  await work.queue.renew(sessionId, [leaseToken]);
  expect(await extra()).toEqual(before);
});

test("checkpoints count in an answer's limit of 3 MiB", async () => {
  const { sessionId } = await register({ concurrency: 100 });
  for (let i = 0; i < 60; i++) await write(work, `n${i}`);
  const items = await leaseNow(work, sessionId);
  expect(items).toHaveLength(60);
  const tokens = items.map(({ leaseToken }) => leaseToken);
  const checkpoint = new Uint8Array(65_536).fill(7);
  await work.queue.renew(
    sessionId,
    tokens,
    tokens.map((leaseToken) => ({ leaseToken, message: "", checkpoint })),
  );
  await work.queue.deregister(sessionId);
  const heir = await register({ concurrency: 100 });
  const leased = await leaseNow(work, heir.sessionId);
  expect(leased.length).toBeGreaterThan(30);
  expect(leased.length).toBeLessThan(40);
  for (const item of leased) expect(item.checkpoint).toHaveLength(65_536);
  expect(await leaseNow(work, heir.sessionId)).toHaveLength(60 - leased.length);
});

describe("refuses, by field,", () => {
  const t = "token";
  test.each([
    [
      "a token that is not listed",
      [{ leaseToken: "other", message: "", checkpoint: undefined }],
      "progress[0].lease_token",
    ],
    [
      "two entries for a token",
      [
        { leaseToken: t, message: "", checkpoint: undefined },
        { leaseToken: t, message: "", checkpoint: undefined },
      ],
      "progress[1].lease_token",
    ],
    ["long words", [{ leaseToken: t, message: "ü".repeat(1_025), checkpoint: undefined }], "progress[0].message"],
    ["words that cannot be stored", [{ leaseToken: t, message: "\0", checkpoint: undefined }], "progress[0].message"],
    [
      "a large checkpoint",
      [{ leaseToken: t, message: "", checkpoint: new Uint8Array(65_537) }],
      "progress[0].checkpoint",
    ],
  ])("%s", async (_what, progress, field) => {
    const { sessionId } = await register();
    await expect(work.queue.renew(sessionId, [t], progress)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", field });
  });

  test("and takes what is just within the limits", async () => {
    const { sessionId } = await register();
    await write(work, "a");
    const { leaseToken } = first(await leaseNow(work, sessionId));
    const message = "😀".repeat(1_024);
    await work.queue.renew(sessionId, [leaseToken], [{ leaseToken, message, checkpoint: new Uint8Array(65_536) }]);
    expect(await progressOf()).toBe(message);
  });
});
