import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { pino } from "pino";
import { expect, it, onTestFinished } from "vitest";
import { RegisterResponseSchema } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import type { Connection } from "../../src/client/connection.js";
import { LeaseLostError } from "../../src/controlloop/held-lease.js";
import { Session } from "../../src/controlloop/session.js";
import { until } from "../support/until.js";

const LEASE_MS = 1_800;

/** A session at a server that answers every renewal, and when those were sent. */
function openSession() {
  const renewals: number[] = [];
  const api = {
    async renew() {
      renewals.push(performance.now());
      return { lostLeaseTokens: [] };
    },
    async *attach(_: unknown, { signal }: { readonly signal: AbortSignal }) {
      yield {};
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  };
  const registered = create(RegisterResponseSchema, {
    sessionId: "s",
    concurrency: 1,
    leaseDuration: durationFromMs(LEASE_MS),
  });
  const logger = pino({ level: "silent" });
  // The session calls `renew` and `attach` only.
  const session = new Session(api as unknown as Connection["reconcilers"], registered, performance.now(), logger);
  onTestFinished(() => session.end("the test is over"));
  return { session, renewals };
}

it("renews twice in a lease duration while it holds nothing, and three times while it does", async () => {
  const { session, renewals } = openSession();
  const startedAt = performance.now();
  void session.keep();
  await until(() => renewals.length === 1);
  session.hold("t", 60_000);
  await until(() => renewals.length === 3);
  const [first = 0, second = 0, third = 0] = renewals;
  expect(first - startedAt).toBeGreaterThanOrEqual(LEASE_MS / 2 - 5);
  // The interval before the lease was known stays.
  expect(second - first).toBeGreaterThanOrEqual(LEASE_MS / 2 - 5);
  expect(third - second).toBeGreaterThanOrEqual(LEASE_MS / 3 - 5);
  expect(third - second).toBeLessThan(LEASE_MS / 2 - 5);
});

it("a lease that arrives after the session has ended is lost at once", () => {
  const { session } = openSession();
  session.end("the server ended the session");
  const lease = session.hold("t", 60_000);
  onTestFinished(() => session.letGo(lease));
  expect(lease.signal.reason).toBeInstanceOf(LeaseLostError);
  expect(lease.signal.reason.message).toBe("the server ended the session");
});
