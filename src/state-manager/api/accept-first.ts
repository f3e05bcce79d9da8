import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

/** While connections wait to be accepted, requests begin in one of so many turns of the event loop. */
const TURNS_PER_ROUND = 16;
/** Requests that begin then, together: reads that do share a statement. */
const REQUESTS_PER_ROUND = 64;

/** A request of either protocol with its response. */
export type Exchange = [IncomingMessage, ServerResponse] | [Http2ServerRequest, Http2ServerResponse];

/**
 * Keeps turns of the event loop short while clients connect.
 *
 * Node accepts one connection per turn (libuv since 1.45). When 1,000 clients connect at once and those already accepted
 * keep the server busy, a turn takes tens of milliseconds, so the last client was accepted after many seconds; a listen
 * queue that fills meanwhile makes the kernel drop the others, which try again after 1, 3 and 7 s. Clients give up by then.
 * So from a turn that accepted a connection to the first that accepted none, only a few requests begin per connection
 * accepted and the others wait in order. They wait for a fraction of the time that the new clients would have waited.
 */
export class AcceptFirst {
  readonly #serve: (...exchange: Exchange) => void;
  readonly #waiting: Exchange[] = [];
  #isScheduled = false;
  #turns = 0;
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
    if (this.#hasAccepted) this.#turns = (this.#turns + 1) % TURNS_PER_ROUND;
    const count = !this.#hasAccepted ? this.#waiting.length : this.#turns === 0 ? REQUESTS_PER_ROUND : 0;
    const turn = this.#waiting.splice(0, count);
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
