import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { type Logger, pino } from "pino";
import {
  type LeasedItem,
  type PassReport,
  ReportOutcome,
  WorkReason,
} from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { type ClientResource, readResource } from "../client/client-resource.js";
import { nameIn } from "../client/client-work.js";
import { connect } from "../client/connect.js";
import { ResourceClient } from "../client/resource-client.js";
import type { PassResultLabel } from "../controlloop/metrics.js";
import { installPanicGuard } from "../controlloop/panic-guard.js";
import type { Reconciler } from "../controlloop/reconciler.js";
import { describeReconciler, register } from "../controlloop/registration.js";
import { runPass } from "../controlloop/run-pass.js";
import type { Session } from "../controlloop/session.js";
import type { ResourceKey } from "../resource/key.js";

/** How a test loop behaves. */
export interface TestLoopOptions {
  /** What passes log; default: nothing. */
  readonly logger?: Logger;
}

/** What one step did. */
export interface TestStep<Status = unknown> {
  readonly key: ResourceKey;
  /** How the pass ended, as the metrics say it. */
  readonly result: PassResultLabel;
  /** What was reported when it failed, or why the server refused the report; else empty. */
  readonly error: string;
  /** For `requeue_after`. */
  readonly requeueAfterMs: number | undefined;
  /** 1 for the first pass since the last success. */
  readonly attempt: number;
  /** Why it was due. */
  readonly reason: keyof typeof WorkReason;
  /** The stored status after the pass; null when there is none, or no resource any more. */
  readonly status: Status | null;
  /** What is stored after the pass; undefined when the pass let the resource go. */
  readonly resource: ClientResource<unknown, Status> | undefined;
}

/** A control loop that takes a step when it is told to, and nothing runs in between. */
export interface TestLoop<Status = unknown> {
  /**
   * Leases one resource that is due, runs one pass over it as a control loop would, reports it, and tells what became of it;
   * undefined when nothing is due.
   */
  step(): Promise<TestStep<Status> | undefined>;
  /** Steps until nothing is due; throws when there is no end of it after `maxSteps`, by default 100. */
  settle(maxSteps?: number): Promise<readonly TestStep<Status>[]>;
  /** Ends the connection. Twice is safe. */
  close(): void;
}

const REGISTER_TIMEOUT_MS = 10_000;
const CALL_TIMEOUT_MS = 10_000;
/**
 * Chosen so that the clock makes nothing due during a test: after an error the next pass is an hour away, and no sweep comes.
 * `client.enqueue` makes due what a test wants next.
 */
const SETTINGS = { concurrency: 1, backoffBaseMs: 3_600_000, backoffMaxMs: 3_600_000, resyncPeriodMs: 7 * 86_400_000 };

/** Opens a loop that steps a reconciler's passes against a server, for example one of `startTestServer`. */
export function createTestLoop<Status = unknown>(
  server: { readonly url: string },
  reconciler: Reconciler,
  options: TestLoopOptions = {},
): TestLoop<Status> {
  const { logger = pino({ level: "silent" }) } = options;
  const connection = connect(server.url);
  const client = new ResourceClient(connection, CALL_TIMEOUT_MS);
  const registration = describeReconciler({ ...reconciler, ...SETTINGS });
  let isStepping = false;

  /** A session for this step alone: between steps there is nothing to renew and no timer. */
  async function withSession<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const giveUp = AbortSignal.timeout(REGISTER_TIMEOUT_MS);
    const session = await register(connection.reconcilers, registration, logger, giveUp);
    if (session === undefined) {
      const { name, kind } = reconciler;
      throw new Error(
        `${name} could not be registered within 10 s; is ${server.url} there, and nobody else at ${kind}?`,
      );
    }
    const renewed = session.keepRenewed();
    try {
      return await work(session);
    } finally {
      try {
        await connection.reconcilers.deregister({ sessionId: session.id }, { timeoutMs: CALL_TIMEOUT_MS });
      } finally {
        session.end("the step is over");
        await renewed;
      }
    }
  }

  async function pass(session: Session, item: LeasedItem): Promise<TestStep<Status>> {
    const lease = session.hold(item.leaseToken);
    let result: PassResultLabel = "error";
    const metrics = {
      reconcilerStarted: () => {},
      passStarted: () => (label: PassResultLabel) => {
        result = label;
      },
      panicked: () => {},
    };
    const report = await runPass(reconciler, item, lease, { client, logger, metrics });
    const answer = report && (await session.reporter.report(report));
    session.letGo(lease);
    const { key } = readResource(item.resource);
    const resource = await client.get<unknown, Status>(key);
    const isRefused = answer?.outcome === ReportOutcome.INVALID;
    return {
      key,
      result: isRefused ? "error" : result,
      error: isRefused ? answer.message : (report?.error ?? ""),
      requeueAfterMs: requeueAfterMs(report),
      attempt: item.attempt,
      reason: nameIn(WorkReason, item.reason),
      status: resource?.status ?? null,
      resource,
    };
  }

  async function step(): Promise<TestStep<Status> | undefined> {
    if (isStepping) throw new Error("a step is not over yet; await it before the next");
    isStepping = true;
    const removeGuard = installPanicGuard();
    try {
      return await withSession(async (session) => {
        const request = { sessionId: session.id, maxItems: 1, wait: durationFromMs(0) };
        const { items } = await connection.reconcilers.lease(request, { timeoutMs: CALL_TIMEOUT_MS });
        const [item] = items;
        return item && (await pass(session, item));
      });
    } finally {
      removeGuard();
      isStepping = false;
    }
  }

  return {
    step,
    settle: async (maxSteps = 100) => {
      const steps: TestStep<Status>[] = [];
      for (let done = await step(); done !== undefined; done = await step()) {
        steps.push(done);
        if (steps.length > maxSteps) {
          const { key, reason } = done;
          throw new Error(`not settled after ${maxSteps} steps; the last was over ${key.kind} ${key.name} (${reason})`);
        }
      }
      return steps;
    },
    close: () => connection.close(),
  };
}

function requeueAfterMs(report: PassReport | undefined): number | undefined {
  return report?.requeueAfter && durationMs(report.requeueAfter);
}
