import { type Code, ConnectError } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { createEndStreamSerialization, endStreamFlag, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { ErrorDetailSchema } from "../../../gen/reconcile/v1/error_pb.js";
import { errorPage } from "./error-page.js";
import { correctTrailer } from "./grpc-message.js";
import { type AnyRequest, type AnyResponse, answer, answerJson } from "./http-exchange.js";
import { errorJson } from "./rest-dialect.js";
import { rpcProtocol } from "./rpc-endpoint.js";

/** Why a request is answered before any handler sees it. */
export interface Refusal {
  /** gRPC, gRPC-Web and streams of Connect have no status but 200: there the code says it. */
  readonly status: number;
  readonly code: Code;
  /** For machines; a client also knows by it that a state-manager refuses. */
  readonly reason: string;
  /** What, which, and what to do. */
  readonly message: string;
}

/**
 * Answers with an error in the form that the client of this request reads: its protocol's for an RPC, the dialect's JSON under
 * `/api/`, a page for a browser that opens an address, and JSON for everything else. Headers set before are sent, too.
 */
export function refuse(request: AnyRequest, response: AnyResponse, path: string, refusal: Refusal): void {
  const { status, message } = refusal;
  const contentType = request.headers["content-type"] ?? "";
  if (path.startsWith("/api/")) {
    answerJson(response, status, errorJson(message));
  } else if (contentType.startsWith("application/grpc")) {
    refuseGrpc(response, contentType, toError(refusal));
  } else if (contentType.startsWith("application/connect+")) {
    answer(response, 200, contentType, endOfStream(toError(refusal)));
  } else if (opensPage(request)) {
    answer(response, status, "text/html; charset=utf-8", errorPage(status, message));
  } else if (RPC_PATH.test(path)) {
    answer(response, status, "application/json", Buffer.from(errorToJsonBytes(toError(refusal), undefined)));
  } else {
    answerJson(response, status, errorJson(message));
  }
}

/** Of a package with a dot in its name, as all of ours are. */
const RPC_PATH = /^\/[\w.]+\.\w+\/\w+$/;

function toError({ code, reason, message }: Refusal): ConnectError {
  return new ConnectError(message, code, undefined, [{ desc: ErrorDetailSchema, value: { reason } }]);
}

/** A status without messages before it. Connect's own clients and others take it from the headers of gRPC-Web as well. */
function refuseGrpc(response: AnyResponse, contentType: string, error: ConnectError): void {
  const trailer = Object.fromEntries(correctTrailer(setTrailerStatus(new Headers(), error)));
  if (rpcProtocol(contentType) === "grpc-web") {
    response.writeHead(200, { "content-type": contentType, ...trailer });
  } else {
    response.writeHead(200, { "content-type": contentType });
    response.addTrailers(trailer);
  }
  response.end();
}

function endOfStream(error: ConnectError): Buffer {
  const end = createEndStreamSerialization(undefined).serialize({ metadata: new Headers(), error });
  return Buffer.from(encodeEnvelope(endStreamFlag, end));
}

function opensPage({ method, headers }: AnyRequest): boolean {
  return (method === "GET" || method === "HEAD") && (headers.accept?.includes("text/html") ?? false);
}
