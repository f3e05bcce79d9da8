import { randomBytes } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Logger } from "pino";
import { DomainError } from "../../resource/errors.js";
import type { Metrics } from "../observability/metrics.js";
import { fromConnectError, InternalError, outcomeName } from "./error-mapping.js";

/** How a call arrived; a label of its metrics. */
export type Protocol = "rest" | "connect" | "grpc" | "grpc-web";

/** What the pipeline allows; every count and wait has a limit (I9). */
export interface PipelineLimits {
  /** Unary calls being answered at once; more are refused with RESOURCE_EXHAUSTED. */
  readonly maxCallsInFlight: number;
  /** Streams and long polls open at once; more are refused with RESOURCE_EXHAUSTED. */
  readonly maxOpenStreams: number;
  /** A unary call without an answer after this time is answered with DEADLINE_EXCEEDED; its outcome is unknown. */
  readonly callDeadlineMs: number;
}

/** One route or RPC on one protocol, made once and used for every call. */
export interface Endpoint {
  readonly protocol: Protocol;
  readonly method: string;
  /** A `wait` is a long poll: it has its own limit of time and counts as a stream. */
  readonly shape: "unary" | "wait" | "stream";
}

/** Who calls: what the pipeline needs of a request. */
export interface Caller {
  /** The `X-Request-Id` header, taken over when it is short and plain. */
  readonly requestId?: string | undefined;
  /** Aborts when the client is gone or its own deadline passed; the call is answered then, though work goes on. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The way of every call through the edge, whatever its protocol (2.13): admission, deadline, metrics, error translation and
 * logging. Host and origin are checked before, on the HTTP request (origin-guard.ts).
 */
export class Pipeline {
  readonly #limits: PipelineLimits;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  #calls = 0;
  #streams = 0;

  constructor(limits: PipelineLimits, metrics: Metrics, logger: Logger) {
    this.#limits = limits;
    this.#metrics = metrics;
    this.#logger = logger;
  }

  /** Runs a unary call. Rejects only with DomainError, ConnectError or InternalError. */
  async call<T>(endpoint: Endpoint, caller: Caller, work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    let entered = false;
    try {
      this.#enter(endpoint);
      entered = true;
      const result = await this.#withDeadline(endpoint, caller.signal, work());
      this.#observe(endpoint, "ok", startedAt);
      return result;
    } catch (error) {
      throw this.#failure(endpoint, caller, error, startedAt);
    } finally {
      if (entered) this.#leave(endpoint);
    }
  }

  /** Runs a server stream. Throws only DomainError, ConnectError or InternalError; measures the time to the first message. */
  async *stream<T>(endpoint: Endpoint, caller: Caller, messages: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    const startedAt = performance.now();
    let isFirst = true;
    let entered = false;
    try {
      this.#enter(endpoint);
      entered = true;
      for await (const message of messages) {
        if (isFirst) this.#observe(endpoint, "ok", startedAt);
        isFirst = false;
        yield message;
      }
    } catch (error) {
      throw this.#failure(endpoint, caller, error, isFirst ? startedAt : undefined);
    } finally {
      if (entered) this.#leave(endpoint);
    }
  }

  /** Admission. Authentication belongs here, before the limits, so that no protocol can be forgotten. */
  #enter(endpoint: Endpoint): void {
    if (endpoint.shape === "unary") {
      if (this.#calls >= this.#limits.maxCallsInFlight) throw overloaded("calls", this.#limits.maxCallsInFlight);
      this.#calls += 1;
    } else {
      if (this.#streams >= this.#limits.maxOpenStreams) throw overloaded("streams", this.#limits.maxOpenStreams);
      this.#streams += 1;
    }
    this.#metrics.requestsInFlight.inc(IN_FLIGHT_LABELS[endpoint.protocol]);
  }

  #leave(endpoint: Endpoint): void {
    if (endpoint.shape === "unary") this.#calls -= 1;
    else this.#streams -= 1;
    this.#metrics.requestsInFlight.dec(IN_FLIGHT_LABELS[endpoint.protocol]);
  }

  #withDeadline<T>(endpoint: Endpoint, signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
    if (endpoint.shape !== "unary" && signal === undefined) return work;
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => reject(signal?.reason);
      const { callDeadlineMs } = this.#limits;
      const timer =
        endpoint.shape === "unary"
          ? setTimeout(() => reject(deadlineExceeded(callDeadlineMs)), callDeadlineMs)
          : undefined;
      if (signal?.aborted) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      work.then(
        (value) => {
          settle();
          resolve(value);
        },
        (error) => {
          settle();
          reject(error);
        },
      );
    });
  }

  #observe({ protocol, method }: Endpoint, code: string, startedAt: number): void {
    this.#metrics.requestDuration.observe({ protocol, method, code }, (performance.now() - startedAt) / 1000);
  }

  #failure(endpoint: Endpoint, caller: Caller, error: unknown, startedAt: number | undefined): CallError {
    const failure = this.#translate(endpoint, caller, error);
    if (startedAt !== undefined) this.#observe(endpoint, outcomeName(failure), startedAt);
    return failure;
  }

  #translate(endpoint: Endpoint, caller: Caller, error: unknown): CallError {
    if (error instanceof DomainError) return error;
    // Once the client is gone, Node and Connect break off in ways of their own.
    if (isAbort(error) || caller.signal?.aborted) return endOf(caller);
    return error instanceof ConnectError ? fromConnectError(error) : this.#unknown(endpoint, caller, error);
  }

  /** An error nobody foresaw is logged here, once, and nowhere else. */
  #unknown(endpoint: Endpoint, caller: Caller, error: unknown): InternalError {
    const requestId = requestIdOf(caller.requestId);
    const { protocol, method } = endpoint;
    this.#logger.error({ err: error, request_id: requestId, protocol, method }, "request failed");
    return new InternalError(requestId, error);
  }
}

/** What a call can fail with once it went through the pipeline. */
export type CallError = DomainError | ConnectError | InternalError;

const IN_FLIGHT_LABELS: Readonly<Record<Protocol, { readonly protocol: Protocol }>> = {
  rest: { protocol: "rest" },
  connect: { protocol: "connect" },
  grpc: { protocol: "grpc" },
  "grpc-web": { protocol: "grpc-web" },
};

function requestIdOf(header: string | undefined): string {
  return header !== undefined && /^[\w.:-]{1,64}$/.test(header) ? header : randomBytes(8).toString("hex");
}

/** What an aborted wait throws: the signal's default reason, or an error of Node's own around it. */
function isAbort(error: unknown): boolean {
  return error === undefined || (error instanceof Error && error.name === "AbortError");
}

/** Why a call was aborted: Connect names its deadline as the signal's reason, otherwise the client left. */
function endOf({ signal }: Caller): ConnectError {
  return signal?.reason instanceof ConnectError ? signal.reason : new ConnectError("the client is gone", Code.Canceled);
}

function overloaded(what: string, limit: number): DomainError {
  return new DomainError(
    "RESOURCE_EXHAUSTED",
    "OVERLOADED",
    `the server answers ${limit} ${what} at once already: retry later`,
  );
}

function deadlineExceeded(afterMs: number): DomainError {
  const text = `no answer within ${afterMs} ms, so the outcome is unknown: read the resource, then decide`;
  return new DomainError("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", text);
}
