import type { DescMethod } from "@bufbuild/protobuf";
import type { ConnectError, Interceptor, StreamResponse } from "@connectrpc/connect";
import { ReconcilerService } from "../../../gen/reconcile/v1/reconciler_service_pb.js";
import { toConnectError } from "./error-mapping.js";
import { getOrCreate } from "./get-or-create.js";
import type { CallError, Endpoint, Pipeline, Protocol } from "./pipeline.js";

/** Sends every Connect, gRPC and gRPC-Web call through the pipeline that REST uses too. */
export function pipelineInterceptor(pipeline: Pipeline): Interceptor {
  const endpoints = new Map<DescMethod, Map<Protocol, Endpoint>>();
  const endpointOf = (method: DescMethod, protocol: Protocol): Endpoint => {
    const byProtocol = getOrCreate(endpoints, method, () => new Map<Protocol, Endpoint>());
    return getOrCreate(byProtocol, protocol, () => {
      return { protocol, method: `${method.parent.typeName}/${method.name}`, shape: shapeOf(method) };
    });
  };
  return (next) => async (request) => {
    const endpoint = endpointOf(request.method, protocolOf(request.header.get("content-type")));
    const caller = { requestId: request.header.get("x-request-id") ?? undefined, signal: request.signal };
    try {
      if (!request.stream) return await pipeline.call(endpoint, caller, () => next(request));
      const response = await next(request);
      // A stream request has a stream response.
      const messages = (response as StreamResponse).message;
      return { ...response, message: translated(pipeline.stream(endpoint, caller, messages)) } as StreamResponse;
    } catch (error) {
      throw translate(error);
    }
  };
}

/** The pipeline throws nothing but CallError; what Connect throws before a handler runs is a ConnectError. */
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

function shapeOf(method: DescMethod): Endpoint["shape"] {
  if (method.methodKind !== "unary") return "stream";
  return method === ReconcilerService.method.lease ? "wait" : "unary";
}

/** A Connect GET has no content type. */
function protocolOf(contentType: string | null): Protocol {
  if (contentType === null || !contentType.startsWith("application/grpc")) return "connect";
  return contentType.startsWith("application/grpc-web") ? "grpc-web" : "grpc";
}
