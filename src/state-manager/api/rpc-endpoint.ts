import type { DescMethod } from "@bufbuild/protobuf";
import { ReconcilerService } from "../../../gen/reconcile/v1/reconciler_service_pb.js";
import { getOrCreate } from "./get-or-create.js";
import type { Endpoint, Protocol } from "./pipeline.js";

/** How an RPC can arrive. */
export type RpcProtocol = Exclude<Protocol, "rest">;

const ENDPOINTS = new Map<DescMethod, Map<RpcProtocol, Endpoint>>();

/** The endpoint of an RPC on one protocol, always the same object. */
export function rpcEndpoint(method: DescMethod, protocol: RpcProtocol): Endpoint {
  const byProtocol = getOrCreate(ENDPOINTS, method, () => new Map<RpcProtocol, Endpoint>());
  return getOrCreate(byProtocol, protocol, () => {
    return { protocol, method: `${method.parent.typeName}/${method.name}`, shape: shapeOf(method) };
  });
}

/** The protocol a request of this content type speaks; a Connect GET has none. */
export function rpcProtocol(contentType: string | null): RpcProtocol {
  if (contentType === null || !contentType.startsWith("application/grpc")) return "connect";
  return contentType.startsWith("application/grpc-web") ? "grpc-web" : "grpc";
}

function shapeOf(method: DescMethod): Endpoint["shape"] {
  if (method.methodKind !== "unary") return "stream";
  return method === ReconcilerService.method.lease ? "wait" : "unary";
}
