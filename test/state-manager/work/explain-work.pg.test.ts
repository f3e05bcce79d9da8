import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { first, KIND, keyOf, leaseNow, openWork, registration, remove, report, type Work, write } from "./open-work.js";

let work: Work;
beforeAll(async () => {
  work = await openWork();
});
afterAll(() => work.close());
beforeEach(() => work.sql("TRUNCATE work_items, resources, sessions, reconciled_kinds CASCADE"));

const register = (over = {}) => work.queue.register(registration(over));
const why = (name = "a") => work.queue.getWork(keyOf(name));

describe("what there is to do", () => {
  test("a resource without a reconciler is due, and nobody will come", async () => {
    await write(work, "a");
    expect(await why()).toMatchObject({
      state: "DUE",
      item: { key: keyOf("a"), reason: "CREATED", pendingSince: expect.any(Date), lease: null },
      holder: undefined,
      reconciler: "",
      deletionRequestedAt: null,
      finalizers: [],
      ownedResources: 0,
    });
  });

  test("a leased one names its holder, and how far it is", async () => {
    await write(work, "a");
    const { sessionId, epoch } = await register();
    const { leaseToken } = first(await leaseNow(work, sessionId));
    await work.queue.renew(sessionId, [leaseToken], [{ leaseToken, message: "3 of 7", checkpoint: undefined }]);
    expect(await why()).toMatchObject({
      state: "LEASED",
      item: { progress: "3 of 7", lease: { sessionId } },
      holder: { sessionId, name: "widgets", instanceId: "one", epoch, leases: 1 },
      reconciler: "widgets",
    });
  });

  test("a lease that is void counts as due", async () => {
    await write(work, "a");
    const { sessionId } = await register();
    await leaseNow(work, sessionId);
    await work.sql("UPDATE work_items SET lease_deadline = now()");
    expect(await why()).toMatchObject({ state: "DUE", holder: undefined });
    await work.sql("UPDATE work_items SET lease_deadline = now() + interval '1 minute'");
    await work.sql("UPDATE sessions SET expires_at = now()");
    expect(await why()).toMatchObject({ state: "DUE", holder: undefined, reconciler: "" });
  });

  test("a failed one waits, with its error and when it is tried again", async () => {
    await write(work, "a");
    const { sessionId } = await register({ backoffBaseMs: 60_000 });
    await report(work, sessionId, first(await leaseNow(work, sessionId)), { type: "ERROR", error: "no disk" });
    const { state, item } = await why();
    expect(state).toBe("WAITING");
    expect(item).toMatchObject({ reason: "RETRY", failures: 1, lastError: "no disk", message: "no disk" });
    expect(item?.dueAt?.getTime()).toBeGreaterThan(Date.now() + 10_000);
  });

  test("a settled one has no item, a quarantined one its strikes", async () => {
    await write(work, "a");
    await work.sql("UPDATE work_items SET quarantined_at = now(), strikes = 5, due_at = now() + interval '10 minutes'");
    expect(await why()).toMatchObject({ state: "QUARANTINED", item: { strikes: 5, quarantinedAt: expect.any(Date) } });
    await work.sql("DELETE FROM work_items");
    expect(await why()).toMatchObject({ state: "SETTLED", item: undefined });
  });

  test("a resource that is not there is NOT_FOUND, also while its lease is held", async () => {
    await expect(why()).rejects.toMatchObject({ code: "NOT_FOUND" });
    await write(work, "a");
    const { sessionId } = await register();
    await leaseNow(work, sessionId);
    await remove(work, "a");
    await expect(why()).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(work.queue.getWork({ ...keyOf("a"), name: "" })).rejects.toMatchObject({ field: "name" });
  });
});

describe("what keeps it from going", () => {
  const holds = async () => (await why()).finalizers.map(({ owner, isOwnerLive }) => [owner, isOwnerLive]);

  test("the reconciler that registered the finalizer, live or gone; nobody for a foreign one", async () => {
    const { sessionId } = await register({ finalizer: "widgets/hold" });
    await write(work, "a", { finalizers: ["widgets/hold", "foreign"] });
    await remove(work, "a");
    expect(await why()).toMatchObject({ deletionRequestedAt: expect.any(Date) });
    expect(await holds()).toEqual([
      ["widgets", true],
      ["", false],
    ]);
    await work.queue.deregister(sessionId);
    await work.sql("UPDATE reconciled_kinds SET finalizer = 'widgets/hold'");
    expect(await holds()).toEqual([
      ["widgets", false],
      ["", false],
    ]);
    expect(first((await why()).finalizers).message).toBe(
      "reconciler widgets has no live session: start it, or take the finalizer off with ForceRemoveFinalizer",
    );
  });

  test("one of another kind's reconciler; the live one goes before the one of this kind that is gone", async () => {
    await write(work, "a", { finalizers: ["hold"] });
    await work.queue.deregister((await register()).sessionId);
    await register({ name: "others", kinds: [{ ...KIND, kind: "Gadget" }], finalizer: "hold" });
    await work.sql("UPDATE reconciled_kinds SET finalizer = 'hold'");
    expect(await holds()).toEqual([["others", true]]);
    await work.sql("DELETE FROM sessions");
    expect(await holds()).toEqual([["widgets", false]]);
  });

  test("the server, with the number of owned resources and one of them", async () => {
    const { uid } = await write(work, "a");
    for (let i = 0; i < 3; i++) await write(work, `child-${i}`);
    await work.sql(
      `UPDATE resources SET owner_uid = $1, owner_group = 'apps', owner_kind = 'Widget', owner_name = 'a'
        WHERE name LIKE 'child-%'`,
      [uid],
    );
    await work.store.sink.submit({ type: "delete", key: keyOf("a"), expected: {}, propagation: "FOREGROUND" });
    expect(await why()).toMatchObject({
      ownedResources: 3,
      finalizers: [
        {
          owner: "server",
          isOwnerLive: true,
          message: "waits until its owned resources are gone: 3 left, for example Widget/child-0",
        },
      ],
    });
  });
});

test("takes at most three statements, none of which waits for a lock", async () => {
  await write(work, "a", { finalizers: ["hold"] });
  const { sessionId } = await register();
  await leaseNow(work, sessionId);
  const before = await work.statements();
  await work.store.database.transaction(async (connection) => {
    const text = "SELECT 1 FROM work_items, resources, sessions FOR UPDATE";
    await connection.query({ name: "lock-all", text, isPrepared: false });
    expect(await why()).toMatchObject({ state: "LEASED", holder: { name: "widgets" } });
  });
  const sent = [...(await work.statements())].filter(([name, count]) => count !== (before.get(name) ?? 0));
  const own = ["begin", "commit", "lock-all"];
  expect(
    sent
      .map(([name]) => name)
      .filter((name) => !own.includes(name))
      .sort(),
  ).toEqual(["explain-work", "find-finalizer-owners", "read-session"]);
});

test("ListWork tells the same of the item", async () => {
  await write(work, "a");
  const [item] = await work.queue.listWork({}, undefined, 10);
  const { state, item: explained } = await why();
  expect(item).toEqual({ ...explained, state });
});
