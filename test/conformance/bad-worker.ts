/**
 * A worker written by hand over the generated client, without a library: `bad-worker [FAULT]`. Without a fault it keeps
 * every promise; with one it breaks those that the test names, which shows that the conformance suite sees it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, durationMs, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  ConditionStatus,
  type LeasedItem,
  type LeaseProgressSchema,
  type PassReportSchema,
  PassResult,
  ReportOutcome,
  WorkReason,
} from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { ApiError } from "../../src/client/api-error.js";
import { connect } from "../../src/client/connect.js";
import type { Fault } from "./faults.js";

type Report = MessageInitShape<typeof PassReportSchema>;

interface Pass {
  readonly item: LeasedItem;
  readonly stop: AbortController;
  progress?: MessageInitShape<typeof LeaseProgressSchema> | undefined;
}

interface Spec {
  readonly action: string;
  readonly error?: string;
  readonly afterMs?: number;
  readonly ms?: number;
  readonly value?: string;
}

const has = (fault: Fault) => process.argv[2] === fault;
const {
  RECONCILE_SERVER = "",
  RECONCILE_INSTANCE = "",
  RECONCILE_LEASE_DURATION_MS,
  RECONCILE_PASS_DEADLINE_MS,
} = process.env;
const CONCURRENCY = 4;
const GRACE_MS = 5_000;
const TRUST_MARGIN_MS = 1_000;
const deadlineMs = Number(RECONCILE_PASS_DEADLINE_MS ?? 300_000);
const connection = connect(RECONCILE_SERVER);
const api = connection.reconcilers;
const draining = new AbortController();

process.once("SIGTERM", () => {
  if (has("end-at-once")) process.exit(0);
  draining.abort();
});

/** Why a pass ends early: without a report, or with RELEASE. */
const LOST = new Error("the lease is lost");
const RELEASED = new Error("the worker stops");

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}

/** From 50 ms to 4 s, with jitter. */
function delayMs(failures: number): number {
  return Math.min(4_000, 50 * 2 ** failures) * (0.8 + Math.random() / 5);
}

async function retry<T>(call: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await call();
    } catch (error) {
      if (has("give-up")) throw error;
      await pause(delayMs(failures), draining.signal);
    }
  }
}

/** One registration, from Register to its end. */
class Session {
  readonly #ended = new AbortController();
  readonly #passes = new Map<string, Pass>();
  #id = "";
  #concurrency = CONCURRENCY;
  #leaseMs = 30_000;
  #trustedUntil = 0;
  #wakeRenewal = new AbortController();

  async run(): Promise<void> {
    await this.#register();
    const kept = [this.#attach(), this.#renew()];
    await this.#lease();
    if (!has("lease-while-draining")) await this.#drain();
    if (!this.#ended.signal.aborted && !has("no-deregister"))
      await api.deregister({ sessionId: this.#id }).catch(() => {});
    this.#ended.abort();
    this.#wakeRenewal.abort();
    await Promise.all(kept);
  }

  async #register(): Promise<void> {
    const registered = await retry(async () => {
      const sentAt = performance.now();
      const answer = await api.register({
        name: "conformance",
        instanceId: has("own-instance") ? "mine" : RECONCILE_INSTANCE,
        language: "none",
        kinds: [{ resourceGroup: "conformance", kind: "task" }],
        concurrency: CONCURRENCY,
        ...(RECONCILE_LEASE_DURATION_MS && { leaseDuration: durationFromMs(Number(RECONCILE_LEASE_DURATION_MS)) }),
        ...(RECONCILE_PASS_DEADLINE_MS && { passDeadline: durationFromMs(deadlineMs) }),
      });
      return { sentAt, answer };
    });
    const { sessionId, concurrency, leaseDuration } = registered.answer;
    this.#id = sessionId;
    if (!has("own-limits")) this.#concurrency = concurrency;
    if (leaseDuration !== undefined) this.#leaseMs = durationMs(leaseDuration);
    this.#trust(registered.sentAt);
  }

  async #attach(): Promise<void> {
    do {
      try {
        for await (const _ of api.attach({ sessionId: this.#id }, { signal: this.#ended.signal }));
      } catch (error) {
        this.#note(error);
      }
      await pause(100, this.#ended.signal);
    } while (!this.#ended.signal.aborted && !has("attach-once"));
  }

  async #lease(): Promise<void> {
    const end = new AbortController();
    this.#ended.signal.addEventListener("abort", () => end.abort());
    if (!has("lease-while-draining")) draining.signal.addEventListener("abort", () => end.abort());
    for (let failures = 0; !end.signal.aborted; ) {
      const free = has("too-many") ? 2 * CONCURRENCY : this.#concurrency - this.#passes.size;
      if (free <= 0 || performance.now() > this.#trustedUntil) {
        await pause(10, end.signal);
        continue;
      }
      try {
        const request = { sessionId: this.#id, maxItems: has("one-by-one") ? 1 : free, wait: durationFromMs(10_000) };
        const { items } = await api.lease(request, { signal: end.signal });
        failures = 0;
        const running = items.map((item) => this.#pass(item));
        if (has("one-by-one")) await Promise.all(running);
      } catch (error) {
        this.#note(error);
        await pause(has("hammer") ? 20 : delayMs(failures++), end.signal);
      }
    }
  }

  async #pass(item: LeasedItem): Promise<void> {
    const pass: Pass = { item, stop: new AbortController() };
    const { signal } = pass.stop;
    this.#passes.set(item.leaseToken, pass);
    // An idle worker's next renewal may be far off.
    if (!has("late-checkpoint")) this.#wakeRenewal.abort();
    const deadline = new Error("the pass took longer than its deadline");
    const untilMs =
      has("server-clock") && item.deadline ? timestampDate(item.deadline).getTime() - Date.now() : deadlineMs;
    const timer = setTimeout(() => pass.stop.abort(deadline), Math.max(0, untilMs - 100));
    if (has("ignore-deadline")) clearTimeout(timer);
    const report = await this.#reconcile(pass).catch((error: unknown): Report => {
      return { result: has("swallow-errors") ? PassResult.SUCCESS : PassResult.ERROR, error: String(error) };
    });
    clearTimeout(timer);
    const isLost = signal.aborted && signal.reason === LOST;
    if (!isLost || has("report-lost")) {
      const { key } = item.resource ?? {};
      const outcome = { result: PassResult.RELEASE };
      const isReleased = signal.aborted && signal.reason === RELEASED;
      const whole = {
        ...(isReleased ? outcome : report),
        leaseToken: item.leaseToken,
        ...(key !== undefined && { key }),
      };
      await this.#report(whole);
    }
    if (!has("list-forever")) this.#passes.delete(item.leaseToken);
  }

  async #reconcile(pass: Pass): Promise<Report> {
    const { resource, attempt, checkpoint, reason } = pass.item;
    if (has("strict") && WorkReason[reason] === undefined) throw new Error(`unknown reason ${reason}`);
    const spec: Spec = JSON.parse(resource?.specJson ?? "null");
    if (spec.action === "panic" && has("die-of-panic")) process.exit(3);
    if (spec.action === "panic") throw "something unusual";
    if (spec.action === "fail") throw new Error(spec.error);
    if (spec.action === "checkpoint") {
      pass.progress = {
        leaseToken: pass.item.leaseToken,
        message: "working",
        checkpoint: new TextEncoder().encode(spec.value),
      };
      if (!has("late-checkpoint")) this.#wakeRenewal.abort();
    }
    await pause(spec.ms ?? 0, pass.stop.signal);
    if (pass.stop.signal.aborted) throw pass.stop.signal.reason;
    const seen = has("lose-checkpoint") ? "" : new TextDecoder().decode(checkpoint);
    const status = { generation: Number(resource?.generation), attempt, checkpoint: seen };
    const conditions = [{ type: "Ready", status: ConditionStatus.TRUE, reason: "Done", message: "done" }];
    const common = { statusJson: JSON.stringify(status), conditions };
    if (spec.action === "requeue") {
      const ms = has("requeue-now") ? 1 : (spec.afterMs ?? 0);
      return { ...common, result: PassResult.REQUEUE_AFTER, requeueAfter: durationFromMs(ms) };
    }
    const observedGeneration = has("old-generation") ? 1n : (resource?.generation ?? 0n);
    return { ...common, result: PassResult.SUCCESS, observedGeneration };
  }

  async #report(report: Report): Promise<void> {
    for (let failures = 0; !this.#ended.signal.aborted; ) {
      try {
        const { results } = await api.report({ sessionId: this.#id, reports: [report] });
        const [result] = results;
        if (result?.outcome === ReportOutcome.STALE && has("repeat-stale")) await pause(100, this.#ended.signal);
        else if (result?.outcome === ReportOutcome.INVALID && !has("ignore-invalid")) {
          const { key, leaseToken } = report;
          const error = `report refused: ${result.message}`;
          const words = { leaseToken: leaseToken ?? "", result: PassResult.ERROR, error };
          await api.report({ sessionId: this.#id, reports: [{ ...words, ...(key && { key }) }] });
          return;
        } else return;
      } catch (error) {
        this.#note(error);
        if (has("report-once")) return;
        if (has("change-report")) report.error = `try ${failures}`;
        await pause(delayMs(failures++), this.#ended.signal);
      }
    }
  }

  async #renew(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      const intervalMs = has("renew-rarely") ? this.#leaseMs * 0.6 : this.#leaseMs / 4;
      this.#wakeRenewal = new AbortController();
      await pause(intervalMs, this.#wakeRenewal.signal);
      if (has("renew-rarely")) await pause(intervalMs, this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      const progress = [...this.#passes.values()].flatMap((pass) => (pass.progress ? [pass.progress] : []));
      for (const pass of this.#passes.values()) pass.progress = undefined;
      const sentAt = performance.now();
      try {
        const leaseTokens = has("list-nothing") ? [] : [...this.#passes.keys()];
        const request = { sessionId: this.#id, leaseTokens, progress };
        const { lostLeaseTokens } = await api.renew(request, { timeoutMs: Math.round(this.#leaseMs / 4) });
        for (const token of has("ignore-lost") ? [] : lostLeaseTokens) this.#passes.get(token)?.stop.abort(LOST);
        this.#trust(sentAt);
      } catch (error) {
        this.#note(error);
        await pause(50, this.#ended.signal);
      }
    }
  }

  #trust(sentAt: number): void {
    this.#trustedUntil = sentAt + this.#leaseMs - TRUST_MARGIN_MS;
    if (has("trust-forever")) this.#trustedUntil = Number.POSITIVE_INFINITY;
    else
      setTimeout(
        () => {
          if (performance.now() >= this.#trustedUntil) this.#stopAll(LOST);
        },
        this.#trustedUntil - performance.now() + 5,
      ).unref();
  }

  async #drain(): Promise<void> {
    const end = performance.now() + GRACE_MS;
    while (this.#passes.size > 0 && performance.now() < end && !this.#ended.signal.aborted) await sleep(20);
    this.#stopAll(RELEASED);
    while (this.#passes.size > 0 && performance.now() < end + 1_000) await sleep(20);
  }

  #stopAll(reason: Error): void {
    for (const { stop } of this.#passes.values()) stop.abort(reason);
  }

  #note(error: unknown): void {
    if (ApiError.from(error).reason !== "SESSION_NOT_FOUND" || has("never-register-again")) return;
    this.#stopAll(LOST);
    this.#ended.abort();
  }
}

while (!draining.signal.aborted) await new Session().run();
connection.close();
if (has("exit-with-1")) process.exitCode = 1;
