import { errorToJson } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { DomainError } from "../../resource/errors.js";
import { toConnectError } from "./error-mapping.js";
import type { AnyRequest, AnyResponse } from "./http-exchange.js";
import { answer, answerJson, headerOf } from "./http-exchange.js";
import { type AnyRequestListener, OnePort, type OnePortOptions } from "./one-port.js";
import { OriginGuard } from "./origin-guard.js";

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
    const refusal = guard.refusal(request);
    const path = (request.url ?? "/").replace(/\?.*$/s, "");
    if (refusal !== undefined) answerJson(response, 403, JSON.stringify({ error: refusal.message }));
    else if (path === "/health/live") answerJson(response, 200, '{"status":"live"}');
    else if (path === "/health/ready") {
      const error = `not ready: ${problem()}`;
      answerJson(response, 503, JSON.stringify({ error, problems: [problem()] }));
    } else refuse(request, response, `the server is starting: ${problem()}; retry with back-off`);
  };
}

/** UNAVAILABLE in the form of each protocol: gRPC's status in the headers, and one body that REST and Connect both read. */
function refuse(request: AnyRequest, response: AnyResponse, message: string): void {
  const error = toConnectError(new DomainError("UNAVAILABLE", "STORE_UNAVAILABLE", message));
  const contentType = headerOf(request.headers, "content-type") ?? "";
  response.setHeader("retry-after", "1");
  if (contentType.startsWith("application/grpc")) {
    const status = new Headers();
    setTrailerStatus(status, error);
    for (const [name, value] of status) response.setHeader(name, value);
    answer(response, 200, contentType, "");
  } else answerJson(response, 503, JSON.stringify({ ...Object(errorToJson(error, undefined)), error: message }));
}
