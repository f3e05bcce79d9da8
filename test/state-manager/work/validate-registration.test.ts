import { describe, expect, test } from "vitest";
import { DomainError } from "../../../src/resource/errors.js";
import {
  type RegistrationRequest,
  validateRegistration,
} from "../../../src/state-manager/work/validate-registration.js";

const MINIMAL: RegistrationRequest = {
  name: "widgets",
  instanceId: "host-1",
  language: "",
  kinds: [{ resourceGroup: "apps", kind: "Widget" }],
  shardIds: [],
  concurrency: undefined,
  leaseDurationMs: undefined,
  backoffBaseMs: undefined,
  backoffMaxMs: undefined,
  resyncPeriodMs: undefined,
  passDeadlineMs: undefined,
  finalizer: "",
  passesPerSecond: 0,
  burst: 0,
  kindConcurrency: 0,
};

function problemOf(over: Partial<RegistrationRequest>): DomainError {
  try {
    validateRegistration({ ...MINIMAL, ...over });
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
  throw new Error("expected it to be refused");
}

describe("validateRegistration", () => {
  test("fills in the defaults of the contract", () => {
    expect(validateRegistration(MINIMAL)).toEqual({
      ...MINIMAL,
      concurrency: 16,
      leaseDurationMs: 30_000,
      backoffBaseMs: 5,
      backoffMaxMs: 1_000_000,
      resyncPeriodMs: 600_000,
      passDeadlineMs: 300_000,
    });
  });

  test("accepts both ends of every range", () => {
    const least = {
      leaseDurationMs: 1_000,
      backoffBaseMs: 1,
      backoffMaxMs: 1,
      resyncPeriodMs: 1_000,
      passDeadlineMs: 100,
    };
    const most = {
      leaseDurationMs: 600_000,
      backoffBaseMs: 3_600_000,
      backoffMaxMs: 86_400_000,
      resyncPeriodMs: 604_800_000,
      passDeadlineMs: 86_400_000,
    };
    expect(validateRegistration({ ...MINIMAL, ...least, concurrency: 1 })).toMatchObject(least);
    expect(validateRegistration({ ...MINIMAL, ...most, concurrency: 1_000 })).toMatchObject(most);
  });

  test("a base above the default maximum raises it", () => {
    expect(validateRegistration({ ...MINIMAL, backoffBaseMs: 3_600_000 })).toMatchObject({ backoffMaxMs: 3_600_000 });
  });

  test("a burst is what a second allows, at least 1, unless it is given", () => {
    const burstOf = (passesPerSecond: number, burst = 0) =>
      validateRegistration({ ...MINIMAL, passesPerSecond, burst }).burst;
    expect([burstOf(0), burstOf(0.001), burstOf(2.5), burstOf(100), burstOf(100, 7)]).toEqual([0, 1, 3, 100, 7]);
    expect(burstOf(1_000_000, 1_000_000)).toBe(1_000_000);
  });

  const refused: [Partial<RegistrationRequest>, string][] = [
    [{ name: "" }, "name"],
    [{ instanceId: "x".repeat(256) }, "instance_id"],
    [{ language: "a\0b" }, "language"],
    [{ finalizer: "x".repeat(256) }, "finalizer"],
    [{ finalizer: "reconcile.dev/mine" }, "finalizer"],
    [{ kinds: [] }, "kinds"],
    [{ kinds: Array.from({ length: 65 }, (_, i) => ({ resourceGroup: "apps", kind: `K${i}` })) }, "kinds"],
    [{ kinds: [{ resourceGroup: "", kind: "Widget" }] }, "kinds[0].resource_group"],
    [{ kinds: [...MINIMAL.kinds, ...MINIMAL.kinds] }, "kinds[1]"],
    [{ shardIds: Array.from({ length: 1_001 }, (_, i) => `s${i}`) }, "shard_ids"],
    [{ shardIds: ["a", ""] }, "shard_ids[1]"],
    [{ concurrency: 0 }, "concurrency"],
    [{ concurrency: 1_001 }, "concurrency"],
    [{ leaseDurationMs: 999 }, "lease_duration"],
    [{ leaseDurationMs: 600_001 }, "lease_duration"],
    [{ backoffBaseMs: 0 }, "backoff_base"],
    [{ backoffMaxMs: 86_400_001 }, "backoff_max"],
    [{ backoffBaseMs: 10, backoffMaxMs: 9 }, "backoff_max"],
    [{ resyncPeriodMs: Number.NaN }, "resync_period"],
    [{ passDeadlineMs: 99 }, "pass_deadline"],
    [{ passesPerSecond: 0.0009 }, "passes_per_second"],
    [{ passesPerSecond: 1_000_001 }, "passes_per_second"],
    [{ passesPerSecond: Number.NaN }, "passes_per_second"],
    [{ passesPerSecond: 1, burst: -1 }, "burst"],
    [{ passesPerSecond: 1, burst: 1_000_001 }, "burst"],
    [{ burst: 1 }, "burst"],
    [{ kindConcurrency: -1 }, "kind_concurrency"],
    [{ kindConcurrency: 100_001 }, "kind_concurrency"],
  ];
  test.each(refused)("refuses %j, naming %s", (over, field) => {
    expect(problemOf(over)).toMatchObject({ code: "INVALID_ARGUMENT", field });
  });

  test("names every problem at once", () => {
    const { message } = problemOf({ name: "", concurrency: 0, passDeadlineMs: 1, kindConcurrency: -1 });
    expect(message).toMatch(/^name must .*; concurrency must .*; kind_concurrency must .*; pass_deadline must /);
  });
});
