import { create, toBinary } from "@bufbuild/protobuf";
import { PayloadEncoding } from "../../gen/reconcile/v1/resource_pb.js";
import { GetResourceRequestSchema } from "../../gen/reconcile/v1/resource_service_pb.js";
import type { Question } from "../compare.js";
import { grpcFrame, type H2Request, saturateH2 } from "../load/h2-load.js";
import { saturate } from "../load/http-load.js";
import { keyOfSeeded, rpcGets, seed } from "../load/widgets.js";

const CONNECTIONS = 64;

export const rpc: Question = {
  name: "rpc",
  asks: "What of a get over Connect and gRPC is ours? Beside it the same port and library with a handler that reads nothing: one answers the same resource, one an empty message.",
  async *compare(stage) {
    const ours = (await stage.stateManager()).url;
    const empty = (await stage.ceiling("empty-connect")).url;
    await seed(ours);
    const servers = [
      { who: "state-manager", url: ours, name: "seed-0" },
      { who: "constant resource", url: empty, name: "seed-0" },
      { who: "empty answer", url: empty, name: "nothing" },
    ];
    yield {
      what: `Connect JSON get, HTTP/1.1, ${CONNECTIONS} connections`,
      contenders: servers.map(({ who, url, name }) => ({
        who,
        round: (seconds) => saturate(rpcGets(url, name), CONNECTIONS, seconds),
      })),
    };
    if (!stage.has("h2load")) return;
    for (const [what, requestTo] of [
      ["Connect get", connectGet],
      ["gRPC get", grpcGet],
    ] as const)
      yield {
        what: `${what}, binary, HTTP/2, ${CONNECTIONS} connections`,
        contenders: servers.map(({ who, url, name }) => ({
          who,
          round: (seconds) => saturateH2(requestTo(url, name), CONNECTIONS, seconds),
        })),
      };
  },
};

function connectGet(url: string, name: string): H2Request {
  return {
    url: `${url}/reconcile.v1.ResourceService/GetResource`,
    contentType: "application/proto",
    body: getOf(name),
  };
}

function grpcGet(url: string, name: string): H2Request {
  return { ...connectGet(url, name), contentType: "application/grpc", body: grpcFrame(getOf(name)) };
}

/** Spec and status as text, as our own libraries ask for them. */
function getOf(name: string): Uint8Array {
  const request = { key: keyOfSeeded(name), payloadEncoding: PayloadEncoding.JSON };
  return toBinary(GetResourceRequestSchema, create(GetResourceRequestSchema, request));
}
