import { Code, ConnectError, type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import type { UniversalHandlerFn } from "@connectrpc/connect/protocol";
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { Health } from "../../../gen/grpc/health/v1/health_pb.js";
import { ReconcilerService } from "../../../gen/reconcile/v1/reconciler_service_pb.js";
import { ResourceService as ResourceServiceDescriptor } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { ServerService } from "../../../gen/reconcile/v1/server_service_pb.js";
import type { ResourceService } from "../service/resource-service.js";
import type { ServerStatus } from "../service/server-status.js";
import type { WatchSource } from "../watch/watch.js";
import type { WorkService } from "../work/work-service.js";
import { clampDeadline } from "./call-deadline.js";
import { decodeConnectJson } from "./connect-json.js";
import { addHealth } from "./grpc-health.js";
import { withPlainMessage } from "./grpc-message.js";
import type { HealthCheck } from "./health.js";
import type { AnyRequest, AnyResponse } from "./http-exchange.js";
import type { Pipeline } from "./pipeline.js";
import { pipelineInterceptor } from "./pipeline-interceptor.js";
import { reconcilerHandler } from "./reconciler-handler.js";
import { addReflection } from "./reflection.js";
import { refuse } from "./refusal.js";
import { resourceHandler } from "./resource-handler.js";
import { rpcProtocol } from "./rpc-endpoint.js";
import { MALFORMED_URL, unknownPath, unsuitableRequest } from "./rpc-refusals.js";
import { serverHandler } from "./server-handler.js";
import { judgeUnread } from "./unread-calls.js";

/** What the RPC surface stands on. */
export interface RpcOptions {
  readonly resources: ResourceService;
  readonly watch: WatchSource;
  readonly work: WorkService;
  readonly status: () => Promise<ServerStatus>;
  readonly health: HealthCheck;
  readonly pipeline: Pipeline;
  readonly maxBodyBytes: number;
  /** Of an ApplyResources. */
  readonly maxApplyBytes: number;
}

/** Answers a request for `path`, which is its URL without the query. */
type RpcRoutes = (request: AnyRequest, response: AnyResponse, path: string) => Promise<void>;

/** An RPC, and the HTTP methods it is called with. */
interface RpcRoute {
  readonly handler: UniversalHandlerFn;
  readonly allowed: string;
}

/**
 * Nested messages a parser follows. Protobuf's usual 100 is little more than the domain's 30 levels of JSON, and refuses
 * with words of its own; the domain's check names the path, so it should be the one to refuse.
 */
const RECURSION_LIMIT = 400;
/** Connect's largest: answers are not compressed, which costs more CPU than it saves on the networks this runs in. */
const NEVER_COMPRESS_BYTES = 0xffffffff;

/**
 * `textDecoder` is read by Connect's JSON codec but missing in the type of its options.
 */
const JSON_OPTIONS = { recursionLimit: RECURSION_LIMIT, textDecoder: { decode: decodeConnectJson } };

/** Connect, gRPC and gRPC-Web, with reflection and health. Unknown paths are answered with 404. */
export function rpcRoutes(options: RpcOptions): RpcRoutes {
  const endpoints = new Map<string, RpcRoute>();
  for (const handler of routerOf(options).handlers) {
    const allowed = handler.allowedMethods.toSorted().join(", ");
    endpoints.set(handler.requestPath, { handler: judgeUnread(handler, options.pipeline), allowed });
  }
  return async (request, response, path) => {
    if (!isCompleteUrl(request)) {
      refuse(request, response, path, MALFORMED_URL);
      return;
    }
    const route = endpoints.get(path);
    if (route === undefined) {
      refuse(request, response, path, unknownPath(path));
      return;
    }
    keepConnectionUsable(request, response);
    // Connect pauses a stream until `drain`, which a client that left never causes: its generator would never end.
    response.once("close", () => response.emit("drain"));
    await serve(route, request, response, path);
  };
}

function routerOf({ resources, watch, work, status, health, pipeline, ...limits }: RpcOptions): ConnectRouter {
  const router = createConnectRouter({
    interceptors: [pipelineInterceptor(pipeline)],
    readMaxBytes: limits.maxBodyBytes,
    acceptCompression: [compressionGzip],
    compressMinBytes: NEVER_COMPRESS_BYTES,
    binaryOptions: { recursionLimit: RECURSION_LIMIT },
    jsonOptions: JSON_OPTIONS,
  });
  const services = [ResourceServiceDescriptor, ReconcilerService, ServerService];
  const handler = resourceHandler(resources, watch);
  router.service(ResourceServiceDescriptor, handler);
  // Registered once more, because a handler of a service cannot have a limit of its own: the later one is taken.
  const { applyResources } = ResourceServiceDescriptor.method;
  router.rpc(applyResources, handler.applyResources, { readMaxBytes: limits.maxApplyBytes });
  router.service(ReconcilerService, reconcilerHandler(work));
  router.service(ServerService, serverHandler(status));
  addHealth(router, services, health);
  addReflection(router, [...services, Health]);
  return router;
}

async function serve(
  { handler, allowed }: RpcRoute,
  request: AnyRequest,
  response: AnyResponse,
  path: string,
): Promise<void> {
  // AnyResponse is what both of Node's response classes have in common, and nothing else implements it.
  const nodeResponse = response as Parameters<typeof universalResponseToNodeResponse>[1];
  const call = universalRequestFromNodeRequest(request, nodeResponse, undefined, undefined);
  clampDeadline(call.header);
  try {
    const answered = await handler(call);
    // Connect refuses an HTTP method, a content type or an HTTP version with a status alone.
    if (answered.body === undefined && answered.status >= 400) {
      for (const [name, value] of answered.header ?? []) response.setHeader(name, value);
      if (answered.status === 405) response.setHeader("allow", allowed);
      refuse(request, response, path, unsuitableRequest(answered.status, request, path, allowed));
      return;
    }
    const plain = withPlainMessage(answered, rpcProtocol(call.header.get("content-type")));
    await universalResponseToNodeResponse(plain, nodeResponse);
  } catch (error) {
    // A client that leaves breaks the writing of its answer, which is nobody's fault.
    if (!call.signal.aborted && ConnectError.from(error).code !== Code.Aborted) throw error;
  }
}

/** Connect builds a URL from both and throws when it cannot. */
function isCompleteUrl({ headers, url }: AnyRequest): boolean {
  const authority = headers[":authority"] ?? headers.host;
  return authority !== undefined && URL.canParse(`http://${authority}${url}`);
}

/**
 * Connect stops reading a body that is too large and so destroys the request's stream; Node then never reads from a kept-alive
 * connection again and the client's next call hangs. Here the stream survives and the rest of the body is thrown away.
 */
function keepConnectionUsable(request: AnyRequest, response: AnyResponse): void {
  request[Symbol.asyncIterator] = () => request.iterator({ destroyOnReturn: false });
  response.once("close", () => request.resume());
}
