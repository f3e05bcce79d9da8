import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { pino } from "pino";
import { expect, it, onTestFinished } from "vitest";
import { RegisterResponseSchema, type RenewRequest } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import type { Connection } from "../../src/client/connection.js";
import { LeaseLostError } from "../../src/controlloop/held-lease.js";
import { Session } from "../../src/controlloop/session.js";
import { until } from "../support/until.js";

const LEASE_MS = 1_800;

interface Renewal {
  readonly at: number;
  readonly request: Pick<RenewRequest, "leaseTokens" | "progress">;
}

let openedAt = 0;

/** A session at a server that answers every renewal, except with the errors it was told, and what those said and when. */
function openSession(leaseMs = LEASE_MS, passDeadlineMs = 60_000) {
  const renewals: Renewal[] = [];
  const failures: ConnectError[] = [];
  const api = {
    async renew(request: Renewal["request"]) {
      renewals.push({ at: performance.now(), request });
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      return { lostLeaseTokens: [] };
    },
    async *attach(_: unknown, { signal }: { readonly signal: AbortSignal }) {
      yield {};
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  };
  const registered = create(RegisterResponseSchema, {
    sessionId: "s",
    ...(leaseMs > 0 && { leaseDuration: durationFromMs(leaseMs) }),
    ...(passDeadlineMs > 0 && { passDeadline: durationFromMs(passDeadlineMs) }),
  });
  const logger = pino({ level: "silent" });
  const requested = { concurrency: 7, passDeadlineMs: undefined };
  openedAt = performance.now();
  // The session calls `renew` and `attach` only.
  const session = new Session(api as unknown as Connection["reconcilers"], registered, requested, openedAt, logger);
  onTestFinished(() => {
    for (const lease of session.held) session.letGo(lease);
    session.end("the test is over");
  });
  return { session, renewals, fail: (error: ConnectError) => failures.push(error) };
}

it("renews twice in a lease duration while it holds nothing, and at least three times while it does", async () => {
  const { session, renewals } = openSession();
  const startedAt = performance.now();
  void session.keep();
  await until(() => renewals.length === 1);
  session.hold("t");
  await until(() => renewals.length === 3);
  const times = renewals.map(({ at }) => at);
  const [first = 0, second = 0, third = 0] = times;
  expect(first - startedAt).toBeGreaterThanOrEqual(LEASE_MS / 2 - 5);
  for (const interval of [second - first, third - second]) {
    expect(interval).toBeGreaterThanOrEqual(LEASE_MS / 3.3 - 5);
    expect(interval).toBeLessThan(LEASE_MS / 2 - 5);
  }
});

it("renews at once when a lease comes after an idle time longer than a busy interval", async () => {
  const { session, renewals } = openSession();
  void session.keep();
  await until(() => performance.now() - openedAt > LEASE_MS / 3);
  expect(renewals).toEqual([]);
  session.hold("t");
  await until(() => renewals.length === 1, { timeoutMs: LEASE_MS / 6 });
  expect(renewals[0]?.request.leaseTokens).toEqual(["t"]);
});

it("sends progress with a prompt renewal, of what follows faster only the latest, and keeps what had no answer", async () => {
  const { session, renewals, fail } = openSession();
  void session.keep();
  const lease = session.hold("t");
  fail(new ConnectError("away", Code.Unavailable));
  const text = (text: string) => new TextEncoder().encode(text);
  const saves = [lease.saveProgress({ message: "one", checkpoint: text("1") }), lease.saveProgress({ message: "two" })];
  expect(await Promise.all(saves)).toEqual([true, true]);
  const [lost, answered] = renewals;
  expect((answered?.at ?? 0) - openedAt).toBeLessThan(1_000);
  for (const renewal of [lost, answered]) {
    expect(renewal?.request.progress).toMatchObject([{ leaseToken: "t", message: "two", checkpoint: text("1") }]);
  }
  session.letGo(lease);
  expect(await lease.saveProgress({ message: "late" })).toBe(false);
});

it("goes on renewing when the server refuses progress", async () => {
  const { session, renewals, fail } = openSession();
  void session.keep();
  const lease = session.hold("t");
  fail(new ConnectError("progress[0].message must be shorter", Code.InvalidArgument, { "x-answered": "1" }));
  expect(await lease.saveProgress({ message: "refused" })).toBe(false);
  await until(() => renewals.length === 2);
  expect(renewals[1]?.request).toMatchObject({ leaseTokens: ["t"], progress: [] });
  expect(lease.signal.aborted).toBe(false);
});

it("gets leases back whose hand-out was lost, seconds later, by a renewal that does not list them", async () => {
  const { session, renewals } = openSession(60_000);
  void session.keep();
  session.noteLostAnswer();
  await until(() => renewals.length === 1);
  expect((renewals[0]?.at ?? 0) - openedAt).toBeGreaterThan(5_000);
});

it("obeys the shorter of the deadline it asked for and the one in force", async () => {
  const { session } = openSession(LEASE_MS, 200);
  const lease = session.hold("t");
  onTestFinished(() => session.letGo(lease));
  await until(() => lease.signal.aborted, { timeoutMs: 1_000 });
  expect(lease.signal.reason).toMatchObject({ name: "PassDeadlineError" });
});

it("takes what a server leaves out from the defaults, so an odd answer makes no busy loop", () => {
  const { session } = openSession(0, 0);
  expect(session.concurrency).toBe(7);
  expect(session.hold("t").signal.aborted).toBe(false);
});

it("a lease that arrives after the session has ended is lost at once", () => {
  const { session } = openSession();
  session.end("the server ended the session");
  const lease = session.hold("t");
  onTestFinished(() => session.letGo(lease));
  expect(lease.signal.reason).toBeInstanceOf(LeaseLostError);
  expect(lease.signal.reason.message).toBe("the server ended the session");
});
