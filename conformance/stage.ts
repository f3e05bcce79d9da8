import type { LeasedItem, PassReport, ReportOutcome } from "../gen/reconcile/v1/reconciler_service_pb.js";
import { eventually } from "./check.js";
import type { FakeServer } from "./fake-server.js";
import { type Action, type TaskFields, task } from "./tasks.js";
import { WorkerProcess } from "./worker-process.js";

/** Interpreters start slowly when several do at once. */
const START_MS = 20_000;
const REPORT_MS = 8_000;

/**
 * The lease duration of most scenarios. Short, to be over soon; no shorter, because a worker that renews by its half has only
 * what is left until it distrusts its leases (a second before their end) for everything that a busy machine adds.
 */
export const LEASE_MS = 5_000;

/** One promise, and how it is put to the test. */
export interface Scenario {
  /** For `--only`. */
  readonly name: string;
  /** What a worker promises, as a sentence. */
  readonly promise: string;
  /** Throws BrokenPromise when it is not kept. */
  run(stage: Stage): Promise<void>;
}

/** What the worker is started with besides the server's address. */
export interface WorkerSettings {
  readonly leaseDurationMs?: number;
  readonly passDeadlineMs?: number;
}

/** A fake server and, once it is started, the worker. */
export class Stage {
  readonly server: FakeServer;
  readonly instanceId: string;
  readonly #command: readonly string[];
  #worker: WorkerProcess | undefined;
  #fail: (error: unknown) => void = () => {};
  /** Rejects when the worker ends by itself. */
  readonly failed: Promise<never>;

  constructor(server: FakeServer, command: readonly string[], instanceId: string) {
    this.server = server;
    this.instanceId = instanceId;
    this.#command = command;
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {}); // It is raced against the scenario.
  }

  get worker(): WorkerProcess {
    if (this.#worker === undefined) throw new Error("the worker was not started");
    return this.#worker;
  }

  /** The last words of the worker. */
  get words(): readonly string[] {
    return this.#worker?.words ?? [];
  }

  /** Ends the worker and the server. */
  async end(): Promise<void> {
    await this.#worker?.kill();
    await this.server.port.close();
  }

  /** Starts the worker. */
  start({ leaseDurationMs, passDeadlineMs }: WorkerSettings = {}): WorkerProcess {
    const env = {
      RECONCILE_SERVER: this.server.port.url,
      RECONCILE_INSTANCE: this.instanceId,
      ...(leaseDurationMs !== undefined && { RECONCILE_LEASE_DURATION_MS: String(leaseDurationMs) }),
      ...(passDeadlineMs !== undefined && { RECONCILE_PASS_DEADLINE_MS: String(passDeadlineMs) }),
    };
    const worker = new WorkerProcess(this.#command, env);
    this.#worker = worker;
    worker.endedByItself().catch((error: unknown) => this.#fail(error));
    return worker;
  }

  /** Opens the port, starts the worker and waits until it asks for work; returns its session. */
  async begin(settings: WorkerSettings = {}): Promise<string> {
    await this.server.port.open();
    this.start(settings);
    return this.working();
  }

  /** Waits until a session other than `before` asks for work, and returns it. */
  async working(before?: string, withinMs = START_MS): Promise<string> {
    const { calls } = this.server;
    const isNew = () =>
      calls.of("lease").find(({ request }) => request.sessionId !== before && request.sessionId !== "");
    const { request } = await eventually(isNew, withinMs, () => {
      return calls.of("register").length > 0 ? "registered, but did not ask for work" : "did not register";
    });
    return request.sessionId;
  }

  /** Makes a task due. */
  offer(action: Action, fields?: TaskFields): LeasedItem {
    const item = task(action, fields);
    this.server.offer(item);
    return item;
  }

  /** Waits until the worker has these leases; returns when the last one was handed out. */
  async leased(...items: readonly LeasedItem[]): Promise<number> {
    const { calls, leases } = this.server;
    const tokens = items.map(({ leaseToken }) => leaseToken);
    const all = () => tokens.every((token) => leases.of(token) !== undefined);
    await eventually(all, REPORT_MS, () => `${items.length} tasks were due and not all of them leased`);
    const since = Math.max(...tokens.map((token) => leases.of(token)?.since ?? 0));
    // Handed out is not arrived: what the worker says next shows that the answer has reached it.
    const hasArrived = () => calls.all.some(({ method, at }) => at > since && method !== "attach");
    await eventually(hasArrived, REPORT_MS, "was not heard of after it got work");
    return since;
  }

  /**
   * Shows that the worker has at least so many slots free: makes as many tasks due and waits until all are leased
   * before the first of them is over.
   */
  async expectFreeSlots(count: number, complaint: string): Promise<void> {
    const items = Array.from({ length: count }, () => this.offer({ action: "sleep", ms: 1_500 }));
    const tokens = items.map(({ leaseToken }) => leaseToken);
    const held = () => tokens.filter((token) => this.server.leases.of(token)?.over === undefined).length;
    const all = () => tokens.every((token) => this.server.leases.of(token) !== undefined);
    await eventually(() => all() && held() === count, REPORT_MS, complaint);
    for (const item of items) await this.reported(item);
  }

  /** Every answered report about a task, in order. */
  reportsOf({ leaseToken }: LeasedItem) {
    return this.server.leases.reported.filter(({ report }) => report.leaseToken === leaseToken);
  }

  /** Waits for the first answered report about a task. */
  async reported(
    item: LeasedItem,
    withinMs = REPORT_MS,
  ): Promise<{ report: PassReport; outcome: ReportOutcome; at: number }> {
    const name = item.resource?.key?.name;
    return eventually(() => this.reportsOf(item)[0], withinMs, `${name} (${item.resource?.specJson}) was not reported`);
  }
}
