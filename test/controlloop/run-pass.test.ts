import { create } from "@bufbuild/protobuf";
import { durationMs, timestampNow } from "@bufbuild/protobuf/wkt";
import { pino } from "pino";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { LeasedItemSchema, PassResult, WorkReason } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { createResourceClient } from "../../src/client/index.js";
import { HeldLease, LeaseLostError, ShutdownError } from "../../src/controlloop/held-lease.js";
import {
  defineReconciler,
  done,
  type Progress,
  type ReconcilerDefinition,
  requeueAfter,
  TerminalError,
} from "../../src/controlloop/index.js";
import { metricsOf } from "../../src/controlloop/metrics.js";
import { installPanicGuard } from "../../src/controlloop/panic-guard.js";
import { runPass } from "../../src/controlloop/run-pass.js";
import { createWorkerMetrics, type WorkerMetrics } from "../../src/dev/worker-metrics.js";
import { sumSamples } from "../support/samples.js";
import { until } from "../support/until.js";

interface Spec {
  readonly size: number;
}
type Reconcile = ReconcilerDefinition<Spec, { seen: number }>["reconcile"];

let metrics: WorkerMetrics;
beforeEach(() => {
  metrics = createWorkerMetrics();
});

describe("a pass", () => {
  it("reports success with status, conditions, finalizers and patches in one report", async () => {
    const { report } = await pass((resource, context) => {
      context.setCondition("Ready", "False", "Early", "not counted");
      context.setCondition("Ready", "True", "Fine", "all well");
      context.addFinalizer("mine");
      context.removeFinalizer("old");
      context.setLabel("a", "1");
      context.setLabel("b", null);
      context.setAnnotation("note", "x");
      expect(context).toMatchObject({ attempt: 3, reason: "RETRY", message: "it broke", isDeleting: false });
      return done({ seen: resource.spec.size });
    });
    expect(report).toMatchObject({
      result: PassResult.SUCCESS,
      leaseToken: "t1",
      observedGeneration: 2n,
      statusJson: '{"seen":7}',
      conditions: [{ type: "Ready", reason: "Fine" }],
      addFinalizers: ["mine"],
      removeFinalizers: ["old"],
      labels: { a: { value: "1" }, b: {} },
      annotations: { note: { value: "x" } },
    });
    expect(report?.labels.b?.value).toBeUndefined();
    expect(await count("controlloop_reconcile_total", { result: "success" })).toBe(1);
  });

  it("whose status is no JSON value fails with the path, and keeps the conditions it set", async () => {
    const { report } = await pass((_, context) => {
      context.setCondition("Seen", "True", "Looked", "");
      const status: unknown = { parts: [{ sizes: new Map([["a", 1]]) }] };
      return done(status as { seen: number }); // as JavaScript lets it through
    });
    expect(report).toMatchObject({
      result: PassResult.ERROR,
      error: "status.parts[0].sizes must be a plain object (got an instance of Map); write Object.fromEntries(map)",
      statusJson: "",
      conditions: [{ type: "Seen" }],
    });
    expect((await pass(() => requeueAfter(1_000, { seen: Number.NaN }))).report).toMatchObject({
      result: PassResult.ERROR,
      error: "status.seen must be a finite number (got NaN); JSON has no other: write null, or leave it out",
    });
  });

  it("comes back later without counting the generation as observed", async () => {
    const { report } = await pass(() => requeueAfter(1500));
    expect(report).toMatchObject({
      result: PassResult.REQUEUE_AFTER,
      requeueAfter: { seconds: 1n, nanos: 500_000_000 },
    });
    expect(report?.observedGeneration).toBeUndefined();
    expect(report?.statusJson).toBe("");
  });

  it.each([
    [
      "a throw",
      () => {
        throw new Error("broken");
      },
    ],
    [
      "a rejection",
      async () => {
        throw new Error("broken");
      },
    ],
    ["a delay that is no number", () => requeueAfter(Number.NaN)],
    [
      "a thrown value that is no Error",
      () => {
        throw "broken";
      },
    ],
  ] satisfies [string, Reconcile][])("turns %s into an error report", async (_, reconcile) => {
    const { report } = await pass(reconcile);
    expect(report).toMatchObject({ result: PassResult.ERROR });
    expect(report?.error).toMatch(/broken|requeueAfter/);
    expect(await count("controlloop_reconcile_errors_total")).toBe(1);
  });

  it.each([
    [0, 1],
    [-5_000, 1],
    [Number.NEGATIVE_INFINITY, 1],
    [1e15, 30 * 24 * 3_600_000],
  ])("takes a delay of %d ms, whose time has come or is too far, for %d ms: no failure", async (asked, afterMs) => {
    const { report } = await pass(() => requeueAfter(asked));
    expect(report).toMatchObject({ result: PassResult.REQUEUE_AFTER });
    expect(report?.requeueAfter && durationMs(report.requeueAfter)).toBe(afterMs);
  });

  it.each<[string, unknown, string]>([
    ["a string", "ready", "'ready'"],
    ["nothing", undefined, "undefined"],
    ["a bare status", { seen: 7 }, "{ seen: 7 }"],
    ["done without calling it", done, "[Function: done]"],
  ])("says what a pass must return when it returned %s", async (_, returned, shown) => {
    const { report } = await pass(() => returned as ReturnType<Reconcile>);
    expect(report).toMatchObject({
      result: PassResult.ERROR,
      error: `a pass must return done(…) or requeueAfter(…), not ${shown}`,
    });
  });

  it("describes whatever was thrown, in words that the server takes", async () => {
    const thrown = (value: unknown) =>
      pass(() => {
        throw value;
      });
    for (const value of [Object.create(null), Object.assign(new Error(), { message: Symbol("no text") })]) {
      const { report } = await thrown(value);
      expect(report).toMatchObject({ result: PassResult.ERROR });
      expect(report?.error).not.toBe("");
    }
    const long = await thrown(new Error("x".repeat(5_000_000)));
    expect(long.report?.error).toHaveLength(4_096);
    const final = await thrown(new TerminalError("No", "x".repeat(5_000)));
    expect(final.report?.conditions[0]?.message).toHaveLength(4_096);
  });

  it("survives failures that escape it: a promise nobody awaits, an exception in a callback", async () => {
    onTestFinished(installPanicGuard());
    const quiet = silenceTestRunner();
    const never = new Promise<never>(() => {});
    const rejection = await pass(() => {
      Promise.reject(new Error("nobody awaits this"));
      return never;
    });
    expect(rejection.report).toMatchObject({ result: PassResult.ERROR, error: "nobody awaits this" });
    const exception = await pass(() => {
      setTimeout(() => {
        throw new Error("in a timer");
      });
      return never;
    });
    expect(exception.report).toMatchObject({ result: PassResult.ERROR, error: "in a timer" });
    expect(await count("controlloop_reconcile_panics_total")).toBe(2);
    quiet();
  });

  it("ends at its deadline even when its promise never settles (I11)", async () => {
    const { report, signal } = await pass(() => new Promise(() => {}), { deadlineMs: 200 });
    expect(report).toMatchObject({ result: PassResult.ERROR });
    expect(report?.error).toContain("deadline of 200 ms");
    expect(signal.aborted).toBe(true);
    expect(await count("controlloop_active_workers")).toBe(0);
  });

  it("says nothing after its lease was lost, and releases when the loop stops", async () => {
    const lost = await pass(({ spec }, { signal }) => waitFor(signal).then(() => done({ seen: spec.size })), {
      abort: new LeaseLostError("given away"),
    });
    expect(lost.report).toBeUndefined();
    const stopped = await pass(
      (_, { signal, setLabel }) => {
        setLabel("half", "done");
        return waitFor(signal).then(() => done());
      },
      { abort: new ShutdownError() },
    );
    expect(stopped.report).toMatchObject({ result: PassResult.RELEASE, labels: {} });
  });

  it("shows a spec that does not parse as a condition and does not retry it", async () => {
    const { report, calls } = await pass(() => done(), { specJson: '{"size":"big"}' });
    expect(calls).toBe(0);
    expect(report).toMatchObject({
      result: PassResult.SUCCESS,
      observedGeneration: 2n,
      conditions: [{ type: "Ready", reason: "InvalidSpec", message: "spec.size must be a number" }],
    });
    expect(await count("controlloop_reconcile_total", { result: "terminal_error" })).toBe(1);
  });

  it("gets what an earlier holder saved, and may say how far it is", async () => {
    const seen: unknown[] = [];
    const saved: Progress[] = [];
    const progress = { message: "half", checkpoint: new Uint8Array([1]) };
    await pass(
      async (_, context) => {
        seen.push(context.checkpoint, context.progress, context.isSolo, context.reason);
        expect(await context.saveProgress(progress)).toBe(true);
        return done();
      },
      {
        leased: { checkpoint: new Uint8Array([7]), progress: "a start", isSolo: true, reason: 99 as WorkReason },
        saved,
      },
    );
    expect(seen).toEqual([new Uint8Array([7]), "a start", true, "UNSPECIFIED"]);
    expect(saved).toEqual([progress]);
    const { report } = await pass((_, { saveProgress, checkpoint }) => {
      expect(checkpoint).toBeUndefined();
      saveProgress({ checkpoint: new Uint8Array(65_537) });
      return done();
    });
    expect(report?.error).toBe("progress.checkpoint must be at most 65536 bytes (got 65537); save a shorter one");
  });

  it("runs over a deleting resource whatever its spec, and never gives up there", async () => {
    const cleaned = await pass(() => done(), { specJson: '{"size":"big"}', isDeleting: true });
    expect(cleaned.calls).toBe(1);
    expect(cleaned.report?.result).toBe(PassResult.SUCCESS);
    const looked = await pass(({ spec }) => done({ seen: spec.size }), { specJson: "null", isDeleting: true });
    expect(looked.report?.result).toBe(PassResult.ERROR);
    const gaveUp = await pass(
      () => {
        throw new TerminalError("No", "cannot");
      },
      { isDeleting: true },
    );
    expect(gaveUp.report?.result).toBe(PassResult.ERROR);
  });
});

async function pass(
  reconcile: Reconcile,
  options: {
    specJson?: string;
    isDeleting?: boolean;
    deadlineMs?: number;
    abort?: Error;
    leased?: object;
    saved?: Progress[];
  } = {},
) {
  const { leased = {}, saved = [] } = options;
  const { specJson = '{"size":7}', isDeleting = false, deadlineMs = 10_000, abort } = options;
  let calls = 0;
  const reconciler = defineReconciler<Spec, { seen: number }>({
    name: "test",
    resourceGroup: "test",
    kind: "thing",
    parseSpec(spec) {
      if (typeof spec !== "object" || spec === null || !("size" in spec) || typeof spec.size !== "number")
        throw new Error("spec.size must be a number");
      return { size: spec.size };
    },
    reconcile(...args) {
      calls++;
      return reconcile(...args);
    },
  });
  const item = create(LeasedItemSchema, {
    resource: {
      key: { resourceGroup: "test", kind: "thing", namespace: "default", name: "a" },
      specJson,
      generation: 2n,
      ...(isDeleting && { deletionRequestedAt: timestampNow() }),
    },
    leaseToken: "t1",
    attempt: 3,
    reason: WorkReason.RETRY,
    message: "it broke",
    ...leased,
  });
  const lease = new HeldLease(item.leaseToken, deadlineMs, async (progress) => saved.push(progress) > 0);
  if (abort !== undefined) setImmediate(() => lease.abort(abort));
  const environment = {
    client: createResourceClient("http://127.0.0.1:1"),
    logger: pino({ level: "silent" }),
    metrics: metricsOf(metrics.meter),
  };
  const report = await runPass(reconciler, item, lease, environment);
  lease.settle();
  return { report, calls, signal: lease.signal };
}

async function waitFor(signal: AbortSignal): Promise<void> {
  await until(() => signal.aborted);
}

async function count(name: string, labels: Record<string, string> = {}): Promise<number> {
  return sumSamples(await metrics.text(), name, labels);
}

/** The test runner takes every unhandled failure for its own: for one test they are ours. Returns how to undo it. */
function silenceTestRunner(): () => void {
  const rejection = process.listeners("unhandledRejection").slice(0, -1);
  const exception = process.listeners("uncaughtException").slice(0, -1);
  for (const listener of rejection) process.off("unhandledRejection", listener);
  for (const listener of exception) process.off("uncaughtException", listener);
  return () => {
    for (const listener of rejection) process.on("unhandledRejection", listener);
    for (const listener of exception) process.on("uncaughtException", listener);
  };
}
