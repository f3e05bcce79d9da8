import type { Logger } from "pino";
import { DomainError, hasReason, invalidField } from "../../resource/errors.js";
import { describeKey, type KindRef, kindId, type ResourceKey } from "../../resource/key.js";
import { checkText } from "../../resource/names.js";
import type { Resource } from "../../resource/resource.js";
import { validateKey } from "../../resource/validate.js";
import { workState } from "../../resource/work-state.js";
import type { DueHint } from "../log/change-log.js";
import type { DoorbellChannel } from "../log/doorbell-channel.js";
import type { Metrics } from "../observability/metrics.js";
import type { Database } from "../store/database.js";
import { workItemFromRow } from "../store/read-states.js";
import { type ListedWorkRow, listWork } from "../store/statements/list-work.js";
import { ENQUEUE, TAKE_BACK_ENQUEUED } from "../store/statements/work-items.js";
import type { CommandSink, ResourceReader } from "../store/store.js";
import { Attachments } from "./attachments.js";
import { type ClockStep, ClockWatch } from "./clock-watch.js";
import { Doorbell } from "./doorbell.js";
import { expire } from "./expire.js";
import { explainWork } from "./explain-work.js";
import { HAND_OUT_MAX_MS, HandOut } from "./hand-out.js";
import { LeaseQuery, type MarkedItem, type Progress } from "./lease-query.js";
import { PassCounts } from "./pass-counts.js";
import { Pulse } from "./pulse.js";
import { QueueRepair } from "./queue-repair.js";
import { type IncomingReport, Reports } from "./reports.js";
import { resync } from "./resync.js";
import { type KnownSession, Sessions, sessionNotFound } from "./sessions.js";
import { showQuarantines } from "./show-quarantines.js";
import { validateProgress } from "./validate-progress.js";
import { WaitingRoom } from "./waiting-room.js";
import { WorkMetrics } from "./work-metrics.js";
import type {
  LeasedItem,
  ListedWork,
  Registration,
  ReportResult,
  Session,
  WorkDetails,
  WorkFilter,
  WorkService,
} from "./work-service.js";

/** What the queue stands on. */
export interface WorkQueueOptions {
  readonly database: Database;
  readonly sink: CommandSink;
  /** Decides like `sink`, and writes nothing. */
  readonly dryRun: CommandSink;
  readonly reader: Pick<ResourceReader, "get">;
  /** How other replicas hear of due work; without it they find it within 5 s. Closed by whoever made it. */
  readonly doorbellChannel?: DoorbellChannel | undefined;
  /** The pulse found children of owners on their way out (owners/); starts dealing with them and returns. */
  readonly onCollectionDue?: (() => void) | undefined;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Items of a Lease call, tokens of a Renew, reports of a Report (I9). */
const MAX_ITEMS = 1_000;
/** The longest wait of a Lease call: below what load balancers cut. */
const MAX_WAIT_MS = 60_000;
const MAX_MESSAGE_CHARACTERS = 1_024;

/** The work queue: its room's entry. States and invariants: work/SPEC.md. */
export class WorkQueue implements WorkService {
  readonly #database: Database;
  readonly #sink: CommandSink;
  readonly #dryRun: CommandSink;
  readonly #logger: Logger;
  readonly #metrics: WorkMetrics;
  readonly #query: LeaseQuery;
  readonly #sessions: Sessions;
  readonly #attachments: Attachments;
  readonly #handOut: HandOut;
  readonly #passes: PassCounts;
  readonly #reports: Reports;
  readonly #room: WaitingRoom;
  readonly #doorbell: Doorbell;
  readonly #pulse: Pulse;
  readonly #clockWatch = new ClockWatch();
  readonly #repair: QueueRepair;
  #clockStep: ClockStep | undefined;
  readonly #stopping = new AbortController();
  /** What runs beside the calls and is waited for by `stop`. */
  readonly #background = new Set<Promise<void>>();
  #sweep: Promise<void> | undefined;

  constructor(options: WorkQueueOptions) {
    const { database, sink, dryRun, reader, doorbellChannel, metrics, logger } = options;
    this.#database = database;
    this.#sink = sink;
    this.#dryRun = dryRun;
    this.#logger = logger;
    this.#metrics = new WorkMetrics(metrics, database);
    this.#query = new LeaseQuery(database);
    this.#sessions = new Sessions(database);
    const onDue = (hints: readonly DueHint[]) => this.onCommitted(hints);
    const onError = (error: unknown) => this.#logFailure(error);
    this.#attachments = new Attachments(database, { onDue, onError });
    this.#handOut = new HandOut({ query: this.#query, reader, sink, onDue });
    this.#passes = new PassCounts(database, (inMs) => this.#pulse.expect(inMs));
    this.#reports = new Reports(sink, this.#sessions, (sessionId, report) => {
      this.#metrics.reported(report);
      this.#passes.count(sessionId, report.result);
    });
    this.#room = new WaitingRoom(this.#query, (sessionId, items) => this.#giveBack(sessionId, items));
    this.#doorbell = new Doorbell((hints) => this.#room.ring(hints), doorbellChannel);
    this.#pulse = new Pulse(database, {
      waitingKinds: () => this.#room.kinds,
      onDue: (hints) => this.#room.ring(hints),
      onExpired: () => this.#expire(),
      onSweepDue: () => this.#startSweep(),
      onQuarantined: () => showQuarantines(database, sink),
      onCollectionDue: () => options.onCollectionDue?.(),
      onClock: (...observed) => this.#observeClock(...observed),
      onBeat: () => this.#passes.flush(),
      onError,
    });
    this.#repair = new QueueRepair({
      ...{ database, logger, onError },
      onStep: (step) => this.#noteStep(step),
      onRepaired: () => this.#pulse.expect(0),
    });
  }

  /** Begins to look after expiry, due work, resync and repair. */
  start(): void {
    this.#pulse.start();
    this.#repair.start();
  }

  /** The newest jump of the database clock that this replica saw; undefined while it saw none. */
  get clockStep(): ClockStep | undefined {
    return this.#clockStep;
  }

  /** Work became due by a commit of this replica: rings here and at the other replicas. */
  onCommitted(due: readonly DueHint[]): void {
    this.#doorbell.ring(due);
  }

  /**
   * Ends waiting Lease calls and Attach streams with SHUTTING_DOWN; the workers keep their leases and go on at another replica.
   * Call it before connections are cut: cut first, they would look like workers that went away. Safe to call twice.
   */
  async stop(): Promise<void> {
    const error = new DomainError(
      "UNAVAILABLE",
      "SHUTTING_DOWN",
      "the server is shutting down; retry, another replica will answer",
    );
    this.#stopping.abort(error);
    this.#room.close(error);
    await Promise.all([this.#attachments.close(error), this.#pulse.stop(), this.#repair.stop(), this.#sweep]);
    await Promise.all(this.#background);
    await this.#passes.flush(true).catch((error: unknown) => this.#logFailure(error));
  }

  async register(registration: Registration): Promise<{ readonly sessionId: string; readonly epoch: bigint }> {
    const { sessionId, epoch, fenced, due } = await this.#sessions.register(registration);
    this.#end(fenced);
    this.#doorbell.ring(due);
    this.#pulse.expect(registration.leaseDurationMs);
    return { sessionId, epoch };
  }

  async *attach(sessionId: string, signal: AbortSignal): AsyncGenerator<{ readonly serverTime: Date }> {
    const session = await this.#sessions.get(sessionId);
    yield* this.#attachments.attach(session.sessionId, signal);
  }

  async lease(
    sessionId: string,
    maxItems: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<readonly LeasedItem[]> {
    checkRange("max_items", maxItems, 1, MAX_ITEMS);
    checkRange("wait", waitMs, 0, MAX_WAIT_MS, " ms");
    const session = await this.#sessions.get(sessionId);
    const until = performance.now() + waitMs;
    this.#pulse.wake();
    try {
      for (;;) {
        const leftMs = Math.max(0, until - performance.now());
        const marked = await this.#room.wait(session, maxItems, leftMs, signal);
        const items = await this.#prepare(session, marked);
        if (signal.aborted) {
          this.#giveBack(sessionId, items);
          throw signal.reason;
        }
        // Leased, but nothing to hand out (all removed meanwhile, or it took too long): wait on, unless time is long up.
        if (items.length > 0 || marked.length === 0 || performance.now() > until + HAND_OUT_MAX_MS) return items;
      }
    } catch (error) {
      if (hasReason(error, "SESSION_NOT_FOUND")) this.#sessions.forget(sessionId);
      throw error;
    }
  }

  async renew(
    sessionId: string,
    leaseTokens: readonly string[],
    progress: readonly Progress[] = [],
  ): Promise<readonly string[]> {
    checkRange("lease_tokens", leaseTokens.length, 0, MAX_ITEMS, " entries");
    for (const [i, token] of leaseTokens.entries()) checkText(`lease_tokens[${i}]`, token);
    validateProgress(leaseTokens, progress);
    const { lost, unlisted } = await this.#sessions.renew(sessionId, leaseTokens);
    if (progress.length > 0) await this.#query.saveProgress(sessionId, progress);
    if (unlisted.length > 0) {
      this.#doorbell.ring(await this.#query.returnLost(sessionId, unlisted));
      this.#room.lookAgain(sessionId);
    }
    return lost;
  }

  async report(sessionId: string, reports: readonly IncomingReport[]): Promise<readonly ReportResult[]> {
    checkRange("reports", reports.length, 1, MAX_ITEMS, " entries");
    const results = await this.#reports.submit(sessionId, reports);
    this.#room.lookAgain(sessionId);
    this.#ringFreed(reports.flatMap((report) => ("key" in report ? [report.key] : [])));
    return results;
  }

  async deregister(sessionId: string): Promise<void> {
    const due = await this.#sessions.deregister(sessionId);
    this.#end([sessionId]);
    this.#doorbell.ring(due);
  }

  async enqueue(key: ResourceKey, message: string): Promise<void> {
    validateKey(key);
    checkText("message", message);
    if ([...message].length > MAX_MESSAGE_CHARACTERS) {
      throw invalidField("message", `must be at most ${MAX_MESSAGE_CHARACTERS} characters long; shorten it`);
    }
    const { resourceGroup, kind, namespace, name } = key;
    const values = [resourceGroup, kind, namespace, name];
    const [found = [], takenBack = []] = await this.#database.queryAll([
      { statement: ENQUEUE, values: [...values, message] },
      { statement: TAKE_BACK_ENQUEUED, values },
    ]);
    if (found.length === 0 || takenBack.length > 0) {
      throw new DomainError("NOT_FOUND", "NOT_FOUND", `${describeKey(key)} does not exist; create it first`);
    }
    this.#metrics.added(key, 1);
    this.#doorbell.ring([{ resourceGroup, kind, inMs: 0 }]);
  }

  async releaseQuarantine(key: ResourceKey, { dryRun = false } = {}): Promise<Resource> {
    validateKey(key);
    const sink = dryRun ? this.#dryRun : this.#sink;
    const { resource } = await sink.submit({ type: "release-quarantine", key });
    if (resource === undefined) throw new Error("a release returns the resource");
    return resource;
  }

  async getWork(key: ResourceKey): Promise<WorkDetails> {
    validateKey(key);
    const details = await explainWork(this.#database, key);
    const isHeld = details.state === "LEASED" && details.item?.lease != null;
    return { ...details, holder: isHeld ? await this.#sessions.read(details.item.lease.sessionId) : undefined };
  }

  async listSessions(): Promise<readonly Session[]> {
    return this.#sessions.list();
  }

  async listWork(filter: WorkFilter, after: ResourceKey | undefined, limit: number): Promise<readonly ListedWork[]> {
    checkRange("page_size", limit, 1, MAX_ITEMS);
    const { resourceGroup = "", kind = "", state = "ANY" } = filter;
    checkText("resource_group", resourceGroup);
    checkText("kind", kind);
    if (state === "SETTLED") throw invalidField("state", "must not be SETTLED: a settled resource has no work to list");
    const from = after ?? { resourceGroup, kind: "", namespace: "", name: "" };
    const values = [resourceGroup, kind, from.resourceGroup, from.kind, from.namespace, from.name, limit];
    const rows = await this.#database.query<ListedWorkRow>(listWork(state), values);
    return rows.map((row) => {
      const item = workItemFromRow(row);
      return { ...item, state: workState(item, { isLeaseValid: row.is_lease_valid, isDue: row.is_due }) };
    });
  }

  async #prepare(session: KnownSession, marked: readonly MarkedItem[]): Promise<readonly LeasedItem[]> {
    if (marked.length === 0) return [];
    this.#metrics.leased(marked);
    this.#pulse.expect(session.passDeadlineMs);
    const items = await this.#handOut.prepare(session, marked);
    if (items.length < marked.length) this.#ringFreed(marked.map(({ key }) => key));
    return items;
  }

  /** Leases of these kinds ended: where they are limited, waiting calls of all sessions look again, on all replicas. */
  #ringFreed(kinds: readonly KindRef[]): void {
    const limited = new Map(kinds.filter((kind) => this.#query.isLimited(kind)).map((kind) => [kindId(kind), kind]));
    this.#doorbell.ring([...limited.values()].map(({ resourceGroup, kind }) => ({ resourceGroup, kind, inMs: 0 })));
  }

  /** Returns leases whose Lease call is over; `stop` waits for it. */
  #giveBack(sessionId: string, items: readonly { readonly leaseToken: string }[]): void {
    if (items.length === 0) return;
    const returning = this.#handOut.giveBack(sessionId, items).finally(() => this.#background.delete(returning));
    this.#background.add(returning);
  }

  async #expire(): Promise<void> {
    const { sessionIds, due, overdue } = await expire(this.#database);
    this.#end(sessionIds);
    for (const row of overdue) {
      this.#metrics.failed({ resourceGroup: row.resource_group, kind: row.kind }, row.items);
    }
    this.#doorbell.ring(due);
  }

  #observeClock(databaseMs: number, sentAt: number, answeredAt: number): void {
    const step = this.#clockWatch.observe(databaseMs, sentAt, answeredAt);
    if (step === undefined) return;
    this.#noteStep(step);
    this.#repair.stepped(step);
  }

  #noteStep(step: ClockStep): void {
    this.#clockStep = step;
    const { byMs } = step;
    if (byMs < 0) this.#logger.warn({ byMs }, "the database clock was set back; due times written before are repaired");
    else this.#logger.warn({ byMs }, "the database clock jumped ahead, or this machine slept; leases may have expired");
  }

  /** Ends what this replica holds of sessions that are over. */
  #end(sessionIds: readonly string[]): void {
    for (const sessionId of sessionIds) this.#sessions.forget(sessionId);
    this.#room.endSessions(sessionIds, sessionNotFound);
    this.#attachments.endSessions(sessionIds, sessionNotFound);
  }

  #startSweep(): void {
    this.#sweep ??= resync(
      this.#database,
      ({ resource_group: resourceGroup, kind, added }) => {
        if (added === 0) return;
        this.#metrics.added({ resourceGroup, kind }, added);
        this.#doorbell.ring([{ resourceGroup, kind, inMs: 0 }]);
      },
      this.#stopping.signal,
    )
      .catch((error: unknown) => this.#logFailure(error))
      .finally(() => {
        this.#sweep = undefined;
        // A short period may have made the next sweep due already.
        this.#pulse.expect(MIN_SWEEP_PAUSE_MS);
      });
  }

  /** What fails here is tried again at the next pulse; an absent database is reported where it is used. */
  #logFailure(error: unknown): void {
    if (hasReason(error, "STORE_UNAVAILABLE")) this.#logger.debug({ err: error }, "work upkeep postponed");
    else this.#logger.error({ err: error }, "work upkeep failed");
  }
}

/** Between the end of a sweep and the look for the next one. */
const MIN_SWEEP_PAUSE_MS = 1_000;

function checkRange(field: string, value: number, min: number, max: number, unit = ""): void {
  if (value >= min && value <= max) return;
  throw invalidField(field, `must be ${min} to ${max}${unit} (got ${value})`);
}
