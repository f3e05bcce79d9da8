import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../support/until.js";
import {
  first,
  jumpingClock,
  KIND,
  keyOf,
  leaseNow,
  lockWait,
  openWork,
  registration,
  report,
  type Work,
  whileLocked,
  write,
} from "./open-work.js";

let work: Work;
beforeAll(async () => {
  work = await openWork();
});
afterAll(() => work.close());
beforeEach(() => work.sql("TRUNCATE work_items, resources, sessions, reconciled_kinds CASCADE"));

const register = (over = {}) => work.queue.register(registration(over));
const items = () => work.queue.listWork({}, undefined, 1000);
const neverAborted = () => new AbortController().signal;

describe("register", () => {
  test("instances of one name share its kinds; another name is refused while they live", async () => {
    await register({ instanceId: "one" });
    await register({ instanceId: "two" });
    await expect(register({ name: "others" })).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "KIND_TAKEN",
      message: expect.stringContaining('apps/Widget is reconciled by "widgets"'),
    });
    expect(await work.queue.listSessions()).toMatchObject([
      { name: "widgets", instanceId: "one", kinds: [KIND], leases: 0 },
      { name: "widgets", instanceId: "two", kinds: [KIND], leases: 0 },
    ]);
  });

  test("takes the kind of a name without live sessions over", async () => {
    const { sessionId } = await register();
    await work.queue.deregister(sessionId);
    await register({ name: "others" });
    expect(await work.sql("SELECT reconciler FROM reconciled_kinds")).toEqual([{ reconciler: "others" }]);
    await register({ name: "widgets", kinds: [{ resourceGroup: "apps", kind: "Gadget" }] });
    await expect(register({ name: "widgets" })).rejects.toMatchObject({ reason: "KIND_TAKEN" });
  });

  test("of two names at once, exactly one gets the kind", async () => {
    const replica = await work.addReplica();
    for (let i = 0; i < 10; i++) {
      await work.sql("TRUNCATE sessions, reconciled_kinds CASCADE");
      const results = await Promise.allSettled([
        register({ name: "widgets" }),
        replica.queue.register(registration({ name: "others" })),
      ]);
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    }
  });

  test("a duplicate instance fences the older one: its leases are due, its calls and reports end", async () => {
    const older = await register();
    await write(work, "a");
    const item = first(await leaseNow(work, older.sessionId));
    const waiting = work.queue.lease(older.sessionId, 1, 20_000, neverAborted());
    const attached = work.queue.attach(older.sessionId, neverAborted());
    await attached.next();
    const refused = expect(waiting).rejects.toMatchObject({ reason: "SESSION_NOT_FOUND" });
    const detached = expect(attached.next()).rejects.toMatchObject({ reason: "SESSION_NOT_FOUND" });
    const newer = await register();
    expect(newer.epoch).toBeGreaterThan(older.epoch);
    await refused;
    await detached;
    await expect(work.queue.renew(older.sessionId, [])).rejects.toMatchObject({ reason: "SESSION_NOT_FOUND" });
    expect(await report(work, older.sessionId, item)).toBe("STALE");
    expect(first(await leaseNow(work, newer.sessionId))).toMatchObject({ attempt: 1, reason: "WORKER_DIED" });
  });

  test("the same instance registered many times at once leaves one session", async () => {
    const replica = await work.addReplica();
    const kinds = (kind: string) => [{ resourceGroup: "apps", kind }];
    await Promise.all([
      register(),
      register({ kinds: kinds("Gadget") }),
      replica.queue.register(registration({ kinds: kinds("Gizmo") })),
      replica.queue.register(registration()),
    ]);
    expect(await work.queue.listSessions()).toHaveLength(1);
  });
});

test("deregister makes the leases due at once, for whoever waits, and may be called again", async () => {
  const one = await register({ instanceId: "one" });
  const two = await register({ instanceId: "two" });
  await write(work, "a");
  const item = first(await leaseNow(work, one.sessionId));
  const waiting = work.queue.lease(two.sessionId, 1, 20_000, neverAborted());
  await work.queue.deregister(one.sessionId);
  expect(first(await waiting)).toMatchObject({ attempt: 1, reason: "LEASE_RETURNED" });
  expect(await report(work, one.sessionId, item)).toBe("STALE");
  await work.queue.deregister(one.sessionId);
  await work.queue.deregister("no session");
});

describe("renew", () => {
  test("extends the session in one statement", async () => {
    const { sessionId } = await register();
    const before = first(await work.queue.listSessions()).expiresAt;
    const sent = await work.statements();
    expect(await work.queue.renew(sessionId, [])).toEqual([]);
    const added = [...(await work.statements())].filter(([name, count]) => count !== (sent.get(name) ?? 0));
    expect(added.map(([name]) => name)).toEqual(["renew-session"]);
    expect(first(await work.queue.listSessions()).expiresAt.getTime()).toBeGreaterThan(before.getTime());
  });

  test("names lost leases, and returns unlisted ones that are older than 5 s", async () => {
    const { sessionId } = await register();
    for (const name of ["listed", "fresh", "lost", "forgotten"]) await write(work, name);
    const leased = new Map((await leaseNow(work, sessionId)).map((item) => [item.resource.key.name, item]));
    const token = (name: string) => leased.get(name)?.leaseToken ?? "";
    await work.sql("UPDATE work_items SET leased_at = now() - interval '6 s' WHERE name IN ('forgotten', 'listed')");
    await work.sql("DELETE FROM work_items WHERE name = 'lost'");
    expect(await work.queue.renew(sessionId, [token("listed"), token("lost")])).toEqual([token("lost")]);
    expect((await items()).map(({ key, lease, reason }) => [key.name, lease !== null, reason])).toEqual([
      ["forgotten", false, "LEASE_RETURNED"],
      ["fresh", true, "CREATED"],
      ["listed", true, "CREATED"],
    ]);
  });

  test("I7: a renewal that waited long for the database takes no lease that was handed out meanwhile", async () => {
    const { sessionId } = await register();
    await write(work, "a");
    const { leaseToken } = first(await leaseNow(work, sessionId));
    await work.sql("UPDATE work_items SET leased_at = now() - interval '6 s'");
    const clock = jumpingClock();
    let renewing: Promise<unknown> = Promise.resolve();
    await whileLocked(work, "SELECT 1 FROM sessions", async () => {
      renewing = work.queue.renew(sessionId, []);
      await lockWait(work);
      clock.jump(1_100);
    });
    expect(await renewing).toEqual([]);
    expect(await items()).toMatchObject([{ lease: { token: leaseToken } }]);
    await work.queue.renew(sessionId, []);
    expect(await items()).toMatchObject([{ lease: null }]);
  });

  test("I11: a lease past its deadline is lost though its row is still there", async () => {
    const { sessionId } = await register();
    await write(work, "a");
    const { leaseToken } = first(await leaseNow(work, sessionId));
    await work.sql("UPDATE work_items SET lease_deadline = now() - interval '1 ms'");
    expect(await work.queue.renew(sessionId, [leaseToken])).toEqual([leaseToken]);
  });

  test("does not bring an expired session back", async () => {
    const { sessionId } = await register();
    await work.sql("UPDATE sessions SET expires_at = now() - interval '1 ms'");
    await expect(work.queue.renew(sessionId, [])).rejects.toMatchObject({ reason: "SESSION_NOT_FOUND" });
    await expect(leaseNow(work, sessionId)).rejects.toMatchObject({ reason: "SESSION_NOT_FOUND" });
  });
});

describe("attach", () => {
  const attach = async (sessionId: string, at = work) => {
    const client = new AbortController();
    const stream = at.queue.attach(sessionId, client.signal);
    expect((await stream.next()).value?.serverTime).toBeInstanceOf(Date);
    const ended = stream.next();
    return {
      async close() {
        client.abort();
        expect(await ended).toEqual({ done: true, value: undefined });
      },
    };
  };

  test("the client's end returns the leases after the grace; the session lives on", async () => {
    const one = await register({ instanceId: "one" });
    const two = await register({ instanceId: "two" });
    await write(work, "a");
    const stream = await attach(one.sessionId);
    await leaseNow(work, one.sessionId);
    const waiting = work.queue.lease(two.sessionId, 1, 20_000, neverAborted());
    const closedAt = performance.now();
    await stream.close();
    expect(await waiting).toHaveLength(1);
    expect(performance.now() - closedAt).toBeGreaterThanOrEqual(490);
    expect(await work.queue.renew(one.sessionId, [])).toEqual([]);
  });

  test("attaching again, at any replica, keeps the leases", async () => {
    const { sessionId } = await register();
    const replica = { ...work, ...(await work.addReplica()) };
    await write(work, "a");
    const stream = await attach(sessionId);
    const item = first(await leaseNow(work, sessionId));
    const detached = async () => (await work.statements()).get("detach-session") ?? 0;
    const before = await detached();
    await stream.close();
    const again = await attach(sessionId, replica);
    await until(async () => (await detached()) > before, { what: "the grace has passed" });
    expect(await report(work, sessionId, item)).toBe("ACCEPTED");
    await again.close();
  });

  test("the server's end returns nothing", async () => {
    const { sessionId } = await register();
    const replica = await work.addReplica();
    await write(work, "a");
    const stream = replica.queue.attach(sessionId, neverAborted());
    await stream.next();
    const item = first(await leaseNow(work, sessionId));
    const ended = expect(stream.next()).rejects.toMatchObject({ reason: "SHUTTING_DOWN" });
    await replica.queue.stop();
    await ended;
    expect((await replica.statements()).has("detach-session")).toBe(false);
    expect(await report(work, sessionId, item)).toBe("ACCEPTED");
  });

  test("refuses a session that is over", async () => {
    await expect(work.queue.attach("no session", neverAborted()).next()).rejects.toMatchObject({
      reason: "SESSION_NOT_FOUND",
    });
    const { sessionId } = await register();
    await work.sql("DELETE FROM sessions");
    await expect(work.queue.attach(sessionId, neverAborted()).next()).rejects.toMatchObject({
      reason: "SESSION_NOT_FOUND",
    });
  });
});

test("lists work by key, in pages, of a group or a kind", async () => {
  for (const name of ["c", "a", "b"]) await write(work, name);
  const page = await work.queue.listWork(KIND, undefined, 2);
  expect(page.map(({ key }) => key.name)).toEqual(["a", "b"]);
  expect((await work.queue.listWork(KIND, keyOf("b"), 2)).map(({ key }) => key.name)).toEqual(["c"]);
  expect(await work.queue.listWork({ kind: "Gadget" }, undefined, 2)).toEqual([]);
  expect(await work.queue.listWork({ resourceGroup: "apps" }, undefined, 10)).toHaveLength(3);
});
