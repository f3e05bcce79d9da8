import { type Duration, durationFromMs, durationMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type LeaseProgress,
  type ReconcilerService as ReconcilerServiceDescriptor,
  type RegisterRequest,
  ReportOutcome,
  WorkReason,
  WorkState,
} from "../../../gen/reconcile/v1/reconciler_service_pb.js";
import { PayloadEncoding } from "../../../gen/reconcile/v1/resource_pb.js";
import { invalidField } from "../../resource/errors.js";
import type { WorkItem } from "../../resource/work.js";
import type { WorkState as WorkStateWord } from "../../resource/work-state.js";
import { validateRegistration } from "../work/validate-registration.js";
import type { LeasedItem, Registration, Session, WorkDetails, WorkService } from "../work/work-service.js";
import { pageSize } from "./page-size.js";
import { decodeReport } from "./report-codec.js";
import { decodeKey, encodeResource, encodeTime } from "./resource-codec.js";
import { decodeWorkPageToken, encodeWorkPageToken } from "./work-page-token.js";

/** Items of a ListWork page. */
const PAGE_SIZE = { default: 100, max: 1_000 };
/** How long Lease waits: the default, and the most. */
const WAIT_MS = { default: 30_000, max: 60_000 };

/** ReconcilerService on Connect, gRPC and gRPC-Web: decodes, calls, encodes. */
export function reconcilerHandler(work: WorkService): ServiceImpl<typeof ReconcilerServiceDescriptor> {
  return {
    async register(request) {
      const registration = decodeRegistration(request);
      const { sessionId, epoch } = await work.register(registration);
      const { concurrency, passesPerSecond, burst, kindConcurrency } = registration;
      return {
        sessionId,
        epoch,
        leaseDuration: durationFromMs(registration.leaseDurationMs),
        passDeadline: durationFromMs(registration.passDeadlineMs),
        backoffBase: durationFromMs(registration.backoffBaseMs),
        backoffMax: durationFromMs(registration.backoffMaxMs),
        resyncPeriod: durationFromMs(registration.resyncPeriodMs),
        concurrency,
        passesPerSecond,
        burst,
        kindConcurrency,
      };
    },

    async *attach({ sessionId }, { signal }) {
      for await (const { serverTime } of work.attach(sessionId, signal))
        yield { serverTime: timestampFromDate(serverTime) };
      // A deadline must not look like the server's wish to end.
      signal.throwIfAborted();
    },

    async lease({ sessionId, maxItems, wait }, { signal }) {
      const waitMs = decodeDuration(wait) ?? WAIT_MS.default;
      if (!(waitMs >= 0 && waitMs <= WAIT_MS.max))
        throw invalidField("wait", `must be 0 to ${WAIT_MS.max} ms (got ${waitMs} ms)`);
      const items = await work.lease(sessionId, maxItems, waitMs, signal);
      return { items: items.map(encodeLeasedItem) };
    },

    async renew({ sessionId, leaseTokens, progress }) {
      return { lostLeaseTokens: [...(await work.renew(sessionId, leaseTokens, progress.map(decodeProgress)))] };
    },

    async report({ sessionId, reports }) {
      const results = await work.report(sessionId, reports.map(decodeReport));
      return { results: results.map(({ outcome, message }) => ({ outcome: ReportOutcome[outcome], message })) };
    },

    async deregister({ sessionId }) {
      await work.deregister(sessionId);
      return {};
    },

    async enqueue({ key, message }) {
      await work.enqueue(decodeKey(key), message);
      return {};
    },

    async releaseQuarantine(request) {
      await work.releaseQuarantine(decodeKey(request.key), request);
      return {};
    },

    async getWork({ key }) {
      return encodeWorkDetails(await work.getWork(decodeKey(key)));
    },

    async listReconcilers() {
      return { sessions: (await work.listSessions()).map(encodeSession) };
    },

    async listWork({ resourceGroup, kind, state, pageSize: size, pageToken }) {
      const limit = pageSize("page_size", size, PAGE_SIZE);
      const filter = {
        resourceGroup: resourceGroup || undefined,
        kind: kind || undefined,
        state: decodeWorkState(state),
      };
      const items = await work.listWork(filter, decodeWorkPageToken(pageToken), limit);
      const last = items.length === limit ? items.at(-1) : undefined;
      return {
        items: items.map((item) => encodeWorkItem(item, item.state)),
        nextPageToken: last === undefined ? "" : encodeWorkPageToken(last.key),
      };
    },
  };
}

/** Fills in defaults and checks; 0 and absent messages stand for "not set". */
function decodeRegistration(request: RegisterRequest): Registration {
  const { name, instanceId, language, kinds, shardIds, finalizer } = request;
  return validateRegistration({
    name,
    instanceId,
    language,
    kinds,
    shardIds,
    finalizer,
    passesPerSecond: request.passesPerSecond,
    burst: request.burst,
    kindConcurrency: request.kindConcurrency,
    concurrency: request.concurrency || undefined,
    leaseDurationMs: decodeDuration(request.leaseDuration),
    backoffBaseMs: decodeDuration(request.backoffBase),
    backoffMaxMs: decodeDuration(request.backoffMax),
    resyncPeriodMs: decodeDuration(request.resyncPeriod),
    passDeadlineMs: decodeDuration(request.passDeadline),
  });
}

function decodeWorkState(state: WorkState): WorkStateWord | undefined {
  switch (state) {
    case WorkState.UNSPECIFIED:
      return undefined;
    case WorkState.SETTLED:
      return "SETTLED";
    case WorkState.WAITING:
      return "WAITING";
    case WorkState.DUE:
      return "DUE";
    case WorkState.LEASED:
      return "LEASED";
    case WorkState.QUARANTINED:
      return "QUARANTINED";
    default:
      throw invalidField("state", `must be WAITING, DUE, LEASED or QUARANTINED (got ${String(state)})`);
  }
}

function decodeDuration(duration: Duration | undefined): number | undefined {
  return duration === undefined ? undefined : durationMs(duration);
}

function decodeProgress({ leaseToken, message, checkpoint }: LeaseProgress) {
  return { leaseToken, message, checkpoint };
}

function encodeLeasedItem(item: LeasedItem) {
  const { resource, leaseToken, attempt, deadline, reason, message, progress, checkpoint, isSolo } = item;
  return {
    resource: encodeResource(resource, PayloadEncoding.JSON),
    leaseToken,
    attempt,
    deadline: timestampFromDate(deadline),
    reason: WorkReason[reason],
    message,
    isSolo,
    progress,
    // A copy: the driver's buffer is a view on what it read from the database.
    checkpoint: checkpoint === undefined ? new Uint8Array() : new Uint8Array(checkpoint),
  };
}

function encodeWorkDetails({ state, item, holder, deletionRequestedAt, finalizers, ...details }: WorkDetails) {
  return {
    ...details,
    state: WorkState[state],
    item: item && encodeWorkItem(item, state),
    holder: holder && encodeSession(holder),
    deletionRequestedAt: encodeTime(deletionRequestedAt),
    finalizers: [...finalizers],
  };
}

function encodeSession(session: Session) {
  return {
    sessionId: session.sessionId,
    name: session.name,
    instanceId: session.instanceId,
    language: session.language,
    kinds: [...session.kinds],
    shardIds: [...session.shardIds],
    concurrency: session.concurrency,
    leases: session.leases,
    registeredAt: timestampFromDate(session.registeredAt),
    expiresAt: timestampFromDate(session.expiresAt),
    lastSeenAt: timestampFromDate(session.lastSeenAt),
    epoch: session.epoch,
    passes: session.passes,
    failedPasses: session.failedPasses,
  };
}

function encodeWorkItem(item: WorkItem, state: WorkStateWord) {
  const { key, dueAt, reason, message, failures, lastError, pendingSince, strikes, quarantinedAt, progress, lease } =
    item;
  return {
    key,
    state: WorkState[state],
    dueAt: encodeTime(dueAt),
    reason: WorkReason[reason],
    failures,
    lastError,
    holderSessionId: lease?.sessionId ?? "",
    leasedAt: encodeTime(lease?.leasedAt ?? null),
    deadline: encodeTime(lease?.deadline ?? null),
    pendingSince: encodeTime(pendingSince),
    strikes,
    quarantinedAt: encodeTime(quarantinedAt),
    progress,
    message,
  };
}
