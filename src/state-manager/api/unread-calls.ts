import { Code, ConnectError, createContextValues } from "@connectrpc/connect";
import {
  createAsyncIterable,
  encodeEnvelope,
  readAllBytes,
  type UniversalHandler,
  type UniversalHandlerFn,
  type UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import { codeToHttpStatus, errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerParse, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import { toConnectError } from "./error-mapping.js";
import type { CallError, Pipeline } from "./pipeline.js";
import { REACHED_PIPELINE } from "./pipeline-interceptor.js";
import { type RpcProtocol, rpcEndpoint, rpcProtocol } from "./rpc-endpoint.js";

/** Decides what an answer's error becomes. */
type Judge = (error: ConnectError) => Promise<ConnectError>;

/**
 * Sends unary calls that Connect refuses by itself through the pipeline after the fact.
 *
 * Connect reads the message of a unary call before any interceptor runs and blames the server for bytes it cannot parse
 * (`INTERNAL`, hard-coded). There is no hook in between, so its answer is read and its error replaced.
 */
export function judgeUnread(handler: UniversalHandler, pipeline: Pipeline): UniversalHandlerFn {
  return async (request) => {
    const contextValues = createContextValues();
    const response = await handler({ ...request, contextValues });
    // Without a body it refuses the HTTP method or content type, not the call.
    if (contextValues.get(REACHED_PIPELINE) || response.body === undefined) return response;
    const protocol = rpcProtocol(request.header.get("content-type"));
    const endpoint = rpcEndpoint(handler.method, protocol);
    const caller = { requestId: request.header.get("x-request-id") ?? undefined, signal: request.signal };
    return REWRITE[protocol](response, (error) =>
      // The pipeline throws nothing but CallError.
      pipeline
        .call(endpoint, caller, () => Promise.reject(error))
        .catch((refusal: CallError) => toConnectError(refusal)),
    );
  };
}

/** Where each protocol puts the error of a unary call. */
const REWRITE: Readonly<
  Record<RpcProtocol, (response: UniversalServerResponse, judge: Judge) => Promise<UniversalServerResponse>>
> = {
  async connect({ header, body }, judge) {
    const error = await judge(errorFromJsonBytes(await bytesOf(body), undefined, UNKNOWN));
    const json = errorToJsonBytes(error, undefined);
    header?.set("content-length", `${json.byteLength}`);
    return { status: codeToHttpStatus(error.code), header: header ?? new Headers(), body: createAsyncIterable([json]) };
  },
  async grpc({ trailer, ...response }, judge) {
    return { ...response, trailer: await judgeTrailer(trailer ?? new Headers(), judge) };
  },
  async "grpc-web"({ body, ...response }, judge) {
    const trailer = trailerParse((await bytesOf(body)).subarray(ENVELOPE_HEAD_BYTES));
    const envelope = encodeEnvelope(trailerFlag, trailerSerialize(await judgeTrailer(trailer, judge)));
    return { ...response, body: createAsyncIterable([envelope]) };
  },
};

async function judgeTrailer(trailer: Headers, judge: Judge): Promise<Headers> {
  const { rawMessage, code } = findTrailerError(trailer) ?? UNKNOWN;
  return setTrailerStatus(trailer, await judge(new ConnectError(rawMessage, code)));
}

function bytesOf(body: UniversalServerResponse["body"]): Promise<Uint8Array> {
  return body === undefined ? Promise.resolve(new Uint8Array()) : readAllBytes(body, ANSWER_MAX_BYTES);
}

/** Flags and length, in front of every message of gRPC-Web. */
const ENVELOPE_HEAD_BYTES = 5;
const ANSWER_MAX_BYTES = 1 << 20;
const UNKNOWN = new ConnectError("the request could not be read", Code.Internal);
