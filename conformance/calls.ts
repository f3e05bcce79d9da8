import type {
  AttachRequest,
  AttachResponse,
  DeregisterRequest,
  DeregisterResponse,
  LeaseRequest,
  LeaseResponse,
  RegisterRequest,
  RegisterResponse,
  RenewRequest,
  RenewResponse,
  ReportRequest,
  ReportResponse,
} from "../gen/reconcile/v1/reconciler_service_pb.js";

/** The request and the answer of every call a worker makes; of Attach, one message of its stream. */
export interface Exchanges {
  register: { request: RegisterRequest; response: RegisterResponse };
  attach: { request: AttachRequest; response: AttachResponse };
  lease: { request: LeaseRequest; response: LeaseResponse };
  renew: { request: RenewRequest; response: RenewResponse };
  report: { request: ReportRequest; response: ReportResponse };
  deregister: { request: DeregisterRequest; response: DeregisterResponse };
}

/** The calls of ReconcilerService that a worker needs. */
export type Method = keyof Exchanges;

/** One call, as the server saw it. */
export interface Call<M extends Method = Method> {
  readonly method: M;
  /** `performance.now()` when the request had arrived. */
  readonly at: number;
  readonly request: Exchanges[M]["request"];
  /** Aborts when the worker cancelled it or its connection broke. */
  readonly signal: AbortSignal;
  /** When it was answered, refused or given up; undefined while it is open. */
  endedAt?: number;
  /** How it ended: `ok`, or what went wrong. */
  outcome?: string;
}

/**
 * Takes the place of the honest answer to a call. `honest` gives that answer, and what it does to leases and sessions
 * happens then; what this throws, the worker gets.
 */
type Answer<M extends Method> = (
  call: Call<M>,
  honest: () => Promise<Exchanges[M]["response"]>,
) => Promise<Exchanges[M]["response"]>;

/** What a scenario wants otherwise. */
export type Script = { [M in Exclude<Method, "attach">]?: Answer<M> };

/** Everything a worker said, in order of arrival. */
export class CallRecord {
  readonly all: Call[] = [];

  /** The calls of one method. */
  of<M extends Method>(method: M): readonly Call<M>[] {
    // The name decides the type of the request: see `Exchanges`.
    return this.all.filter((call) => call.method === method) as unknown as Call<M>[];
  }

  /** Writes a call down; `end` closes its entry. */
  begin<M extends Method>(method: M, request: Exchanges[M]["request"], signal: AbortSignal): Call<M> {
    const call: Call<M> = { method, at: performance.now(), request, signal };
    this.all.push(call as unknown as Call);
    return call;
  }
}
