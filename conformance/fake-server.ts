import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { durationFromMs, durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ErrorDetailSchema } from "../gen/reconcile/v1/error_pb.js";
import {
  AttachResponseSchema,
  DeregisterResponseSchema,
  type LeasedItem,
  LeaseResponseSchema,
  ReconcilerService,
  type RegisterRequest,
  type RegisterResponse,
  RegisterResponseSchema,
  RenewResponseSchema,
  ReportResponseSchema,
} from "../gen/reconcile/v1/reconciler_service_pb.js";
import { type Call, CallRecord, type Exchanges, type Method, type Script } from "./calls.js";
import { Leases } from "./leases.js";
import { LoopbackPort } from "./loopback-port.js";

/** Of a request that leaves it out, as the real server does. */
const DEFAULTS = { concurrency: 16, leaseDurationMs: 30_000, passDeadlineMs: 300_000, leaseWaitMs: 30_000 };
const ATTACH_INTERVAL_MS = 1_000;

/**
 * Plays the server for one worker: honest by default, otherwise what `script` says. It writes down everything.
 *
 * Speaks Connect, gRPC and gRPC-Web on one port. It keeps no time of its own: sessions and leases end when a scenario
 * ends them.
 */
export class FakeServer {
  readonly calls = new CallRecord();
  readonly leases = new Leases();
  /** Set an entry to answer those calls otherwise; delete it to be honest again. */
  readonly script: Script = {};
  /** Put over what Register would answer. */
  limits: Partial<RegisterResponse> = {};
  readonly #sessions = new Set<string>();
  readonly #attachments = new Set<AbortController>();
  #lastEpoch = 0;
  #port: LoopbackPort | undefined;

  /** Chooses a port; it listens after `port.open()`. */
  static async create(): Promise<FakeServer> {
    const server = new FakeServer();
    server.#port = await LoopbackPort.choose(connectNodeAdapter({ routes: (router) => server.#route(router) }));
    return server;
  }

  get port(): LoopbackPort {
    if (this.#port === undefined) throw new Error("a fake server is made by create()");
    return this.#port;
  }

  /** Makes items due. */
  offer(...items: readonly LeasedItem[]): void {
    this.leases.offer(items);
  }

  /** Ends all Attach streams: with an error, or as if that were all there is to say. */
  endAttachments(error?: ConnectError): void {
    for (const attachment of this.#attachments) attachment.abort(error);
  }

  /** Forgets every session and with them all leases, as after their expiry. */
  forgetSessions(): void {
    this.#sessions.clear();
    this.leases.loseAll();
    this.endAttachments(sessionNotFound());
  }

  #route(router: ConnectRouter): void {
    router.service(ReconcilerService, {
      register: (request, context) => this.#answer("register", request, context, async () => this.#register(request)),
      attach: (request, context) => this.#attach(this.calls.begin("attach", request, context.signal)),
      lease: (request, context) => this.#answer("lease", request, context, (call) => this.#lease(call)),
      renew: (request, context) =>
        this.#answer("renew", request, context, async () => {
          this.#expect(request.sessionId);
          const lostLeaseTokens = this.leases.lostOf(request.sessionId, request.leaseTokens);
          return create(RenewResponseSchema, { lostLeaseTokens });
        }),
      report: (request, context) =>
        this.#answer("report", request, context, async () => {
          this.#expect(request.sessionId);
          const { sessionId, reports } = request;
          const results = reports.map((report) => ({ outcome: this.leases.settle(sessionId, report) }));
          return create(ReportResponseSchema, { results });
        }),
      deregister: (request, context) =>
        this.#answer("deregister", request, context, async () => {
          this.#expect(request.sessionId);
          this.#sessions.delete(request.sessionId);
          return create(DeregisterResponseSchema);
        }),
    });
  }

  async #answer<M extends Exclude<Method, "attach">>(
    method: M,
    request: Exchanges[M]["request"],
    context: HandlerContext,
    honest: (call: Call<M>) => Promise<Exchanges[M]["response"]>,
  ): Promise<Exchanges[M]["response"]> {
    const call = this.calls.begin(method, request, context.signal);
    try {
      const scripted = this.script[method];
      const answer = await (scripted === undefined ? honest(call) : scripted(call, () => honest(call)));
      call.outcome = context.signal.aborted ? "cut" : "ok";
      return answer;
    } catch (error) {
      call.outcome = Code[ConnectError.from(error).code];
      throw error;
    } finally {
      call.endedAt = performance.now();
    }
  }

  #register(request: RegisterRequest) {
    const sessionId = `session-${++this.#lastEpoch}`;
    this.#sessions.add(sessionId);
    const honest = create(RegisterResponseSchema, {
      sessionId,
      epoch: BigInt(this.#lastEpoch),
      leaseDuration: request.leaseDuration ?? durationFromMs(DEFAULTS.leaseDurationMs),
      concurrency: request.concurrency || DEFAULTS.concurrency,
      passDeadline: request.passDeadline ?? durationFromMs(DEFAULTS.passDeadlineMs),
      backoffBase: request.backoffBase ?? durationFromMs(5),
      backoffMax: request.backoffMax ?? durationFromMs(1_000_000),
      resyncPeriod: request.resyncPeriod ?? durationFromMs(600_000),
    });
    return Object.assign(honest, this.limits);
  }

  async *#attach(call: Call<"attach">): AsyncGenerator<Exchanges["attach"]["response"]> {
    const ending = new AbortController();
    const end = () => ending.abort();
    call.signal.addEventListener("abort", end);
    this.#attachments.add(ending);
    try {
      this.#expect(call.request.sessionId);
      while (!ending.signal.aborted) {
        yield create(AttachResponseSchema, { serverTime: timestampFromMs(Date.now()) });
        await pause(ATTACH_INTERVAL_MS, ending.signal);
      }
      if (ending.signal.reason instanceof ConnectError) throw ending.signal.reason;
    } finally {
      this.#attachments.delete(ending);
      call.signal.removeEventListener("abort", end);
      call.endedAt = performance.now();
      call.outcome = call.signal.aborted ? "left" : "ended";
    }
  }

  async #lease(call: Call<"lease">) {
    const { sessionId, maxItems, wait } = call.request;
    this.#expect(sessionId);
    const end = performance.now() + (wait === undefined ? DEFAULTS.leaseWaitMs : durationMs(wait));
    while (this.leases.offered === 0 && performance.now() < end && !call.signal.aborted) {
      await pause(5, call.signal);
      this.#expect(sessionId);
    }
    // A worker that has hung up gets nothing.
    const items = call.signal.aborted ? [] : this.leases.take(sessionId, maxItems);
    return create(LeaseResponseSchema, { items });
  }

  #expect(sessionId: string): void {
    if (!this.#sessions.has(sessionId)) throw sessionNotFound();
  }
}

/** What a server says that is starting, stopping, or without its database. */
export function unavailable(): ConnectError {
  return new ConnectError("the server is away for a moment", Code.Unavailable);
}

/** Answers when the worker has given up waiting. */
export async function noAnswer(call: Call): Promise<never> {
  while (!call.signal.aborted) await pause(60_000, call.signal);
  throw new ConnectError("nobody waits for this answer", Code.Canceled);
}

function sessionNotFound(): ConnectError {
  const detail = { desc: ErrorDetailSchema, value: { reason: "SESSION_NOT_FOUND" } };
  return new ConnectError("there is no such session: register again", Code.NotFound, undefined, [detail]);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {}); // It ends early, that is all.
}
