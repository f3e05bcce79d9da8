/** Many resources in one call: the bodies are made before the clock starts, and sent with Node's own HTTP. */
import { request as http1 } from "node:http";
import { connect } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ApplyResourcesRequestSchema,
  ApplyResourcesResponseSchema,
} from "../../gen/reconcile/v1/resource_service_pb.js";
import { grpcFrame } from "./h2-load.js";
import { keyOfSeeded, widget } from "./widgets.js";

const PATH = "/reconcile.v1.ResourceService/ApplyResources";
const FRAME_HEADER_BYTES = 5;

let calls = 0;

/** How a call is sent. */
export type BulkProtocol = "Connect JSON" | "gRPC";

/** The body of a call that applies so many resources of 1 KB, which no other call of this process has applied. */
export function bulkBody(count: number, protocol: BulkProtocol): Uint8Array {
  const call = ++calls;
  const resources = Array.from({ length: count }, (_, n) => {
    const name = `call-${call}-${n}`;
    return { key: keyOfSeeded(name), shardId: "s0", labels: widget.labels, spec: { write: name, ...widget.spec } };
  });
  if (protocol === "Connect JSON") return Buffer.from(JSON.stringify({ resources }));
  const messages = resources.map(({ spec, ...resource }) => ({ ...resource, specJson: JSON.stringify(spec) }));
  return grpcFrame(toBinary(ApplyResourcesRequestSchema, create(ApplyResourcesRequestSchema, { resources: messages })));
}

/** Sends one call and checks that all were applied. */
export async function applyInBulk(url: string, body: Uint8Array, count: number, protocol: BulkProtocol): Promise<void> {
  const applied = await (protocol === "Connect JSON" ? sendJson(url, body) : sendGrpc(url, body));
  if (applied !== count) throw new Error(`${applied} of ${count} resources were applied`);
}

function sendJson(url: string, body: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": body.length };
    const call = http1(url + PATH, { method: "POST", headers }, async (response) => {
      const text = (await response.setEncoding("utf8").toArray()).join("");
      if (response.statusCode !== 200) reject(new Error(`${PATH} was answered with ${text}`));
      // What JSON.parse returns is checked by the number of results.
      else resolve((JSON.parse(text) as { results: unknown[] }).results.length);
    });
    call.once("error", reject);
    call.end(body);
  });
}

async function sendGrpc(url: string, body: Uint8Array): Promise<number> {
  const session = connect(url);
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": PATH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.end(body);
    const answer = Buffer.concat(await stream.toArray());
    if (answer.length < FRAME_HEADER_BYTES) throw new Error(`${PATH} was answered without a message`);
    return fromBinary(ApplyResourcesResponseSchema, answer.subarray(FRAME_HEADER_BYTES)).results.length;
  } finally {
    session.destroy();
  }
}
