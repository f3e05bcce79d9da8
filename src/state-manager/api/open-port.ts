import { Code } from "@connectrpc/connect";
import { admit } from "./http-edge.js";
import { type AnyRequest, type AnyResponse, answerJson } from "./http-exchange.js";
import { type AnyRequestListener, OnePort, type OnePortOptions } from "./one-port.js";
import { OriginGuard } from "./origin-guard.js";
import { refuse } from "./refusal.js";

/** The first function that a request of either HTTP version reaches. */
export type Edge = (request: AnyRequest, response: AnyResponse) => void;

/**
 * The port of the API, which listens before there is an API: while the server waits for PostgreSQL, probes are told that it is live and
 * not ready, and all other calls that they should come back.
 */
export class OpenPort {
  readonly port: number;
  readonly #onePort: OnePort;
  readonly #serve: (edge: Edge) => void;

  private constructor(port: number, onePort: OnePort, serve: (edge: Edge) => void) {
    this.port = port;
    this.#onePort = onePort;
    this.#serve = serve;
  }

  /** Listens on `host`; port 0 takes a free one. `problem` says why there is no API yet. Rejects when the address is taken. */
  static async open(
    config: { readonly host: string; readonly port: number; readonly connections?: OnePortOptions | undefined },
    problem: () => string,
  ): Promise<OpenPort> {
    let edge = startingEdge(new OriginGuard(config.host, []), problem);
    // A listener for either HTTP version, which Node types apart.
    const listener = ((request: AnyRequest, response: AnyResponse) => edge(request, response)) as AnyRequestListener;
    const onePort = new OnePort(listener, config.connections);
    const port = await onePort.listen(config.port, config.host);
    return new OpenPort(port, onePort, (next) => {
      edge = next;
    });
  }

  /** From now on `edge` answers. */
  serve(edge: Edge): void {
    this.#serve(edge);
  }

  /** As `OnePort.close`; safe to call twice. */
  close(graceMs: number): Promise<void> {
    return this.#onePort.close(graceMs);
  }
}

function startingEdge(guard: OriginGuard, problem: () => string): Edge {
  return (request, response) => {
    const path = admit(guard, request, response);
    if (path === "/health/live") answerJson(response, 200, '{"status":"live"}');
    else if (path === "/health/ready") {
      const error = `not ready: ${problem()}`;
      answerJson(response, 503, JSON.stringify({ error, problems: [problem()] }));
    } else if (path !== undefined) {
      response.setHeader("retry-after", "1");
      const message = `the server is starting: ${problem()}; retry with back-off`;
      refuse(request, response, path, { status: 503, code: Code.Unavailable, reason: "STORE_UNAVAILABLE", message });
    }
  };
}
