import { type ConnectError, createContextKey, type Interceptor, type StreamResponse } from "@connectrpc/connect";
import { toConnectError } from "./error-mapping.js";
import type { CallError, Pipeline } from "./pipeline.js";
import { rpcEndpoint, rpcProtocol } from "./rpc-endpoint.js";

/** Whether a call came as far as the pipeline; one whose message Connect cannot read does not (unread-calls.ts). */
export const REACHED_PIPELINE = createContextKey(false);

/** Sends every Connect, gRPC and gRPC-Web call through the pipeline that REST uses too. */
export function pipelineInterceptor(pipeline: Pipeline): Interceptor {
  return (next) => async (request) => {
    request.contextValues.set(REACHED_PIPELINE, true);
    const endpoint = rpcEndpoint(request.method, rpcProtocol(request.header.get("content-type")));
    const caller = { requestId: request.header.get("x-request-id") ?? undefined, signal: request.signal };
    try {
      if (!request.stream) return await pipeline.call(endpoint, caller, () => next(request));
      // Reads the request of a server stream, and nothing else happens yet: what fails is counted as a call.
      const opened = next(request).catch((error) => pipeline.call(endpoint, caller, () => Promise.reject(error)));
      // A stream request has a stream response.
      const response = (await opened) as StreamResponse;
      return { ...response, message: translated(pipeline.stream(endpoint, caller, response.message)) };
    } catch (error) {
      throw translate(error);
    }
  };
}

/** The pipeline throws nothing but CallError. */
function translate(error: unknown): ConnectError {
  return toConnectError(error as CallError);
}

async function* translated<T>(messages: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  try {
    yield* messages;
  } catch (error) {
    throw translate(error);
  }
}
