import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

/** Requests begun per turn of the event loop while connections wait to be accepted: a fraction of a millisecond of work. */
const REQUESTS_PER_TURN = 4;

/** A request of either protocol with its response. */
export type Exchange = [IncomingMessage, ServerResponse] | [Http2ServerRequest, Http2ServerResponse];

/**
 * Keeps turns of the event loop short while clients connect.
 *
 * Node accepts one connection per turn (libuv since 1.45). When 1,000 clients connect at once and those already accepted
 * keep the server busy, a turn takes tens of milliseconds, so the last client was accepted after many seconds; a listen
 * queue that fills meanwhile makes the kernel drop the others, which try again after 1, 3 and 7 s. Clients give up by then.
 * So from a turn that accepted a connection to the first that accepted none, only a few requests begin per turn and the
 * others wait in order. They wait at most a fraction of the time that the new clients would have waited.
 */
export class AcceptFirst {
  readonly #serve: (...exchange: Exchange) => void;
  readonly #waiting: Exchange[] = [];
  #isScheduled = false;
  #hasAccepted = false;

  constructor(serve: (...exchange: Exchange) => void) {
    this.#serve = serve;
  }

  /** A connection was accepted in this turn: there may be more. */
  accepted(): void {
    this.#hasAccepted = true;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#afterTurn());
  }

  /** Begins a request, now or in a later turn. */
  begin(...exchange: Exchange): void {
    if (this.#isScheduled) this.#waiting.push(exchange);
    else this.#serve(...exchange);
  }

  #afterTurn(): void {
    const turn = this.#waiting.splice(0, this.#hasAccepted ? REQUESTS_PER_TURN : this.#waiting.length);
    this.#isScheduled = this.#hasAccepted;
    this.#hasAccepted = false;
    if (this.#isScheduled) setImmediate(() => this.#afterTurn());
    for (const exchange of turn) if (!isGone(exchange[1])) this.#serve(...exchange);
  }
}

/** A response whose client left meanwhile has had its `close` event; a handler would wait for it in vain. */
function isGone(response: ServerResponse | Http2ServerResponse): boolean {
  return "stream" in response ? response.stream.destroyed : response.destroyed;
}
