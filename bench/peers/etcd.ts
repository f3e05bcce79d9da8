import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { freePort } from "../../src/shared/free-port.js";
import { grpcFrame, type H2Request } from "../load/h2-load.js";
import type { Stage } from "../stage.js";

/** Field numbers and wire types of PutRequest and RangeRequest: (number << 3) | length-delimited. */
const [KEY_TAG, VALUE_TAG] = [(1 << 3) | 2, (2 << 3) | 2];
const KEY = Buffer.from("/bench/default/widget/a");

/** One etcd that syncs every write to disk, as it does by default. Its address, or undefined when it is not installed. */
export async function startEtcd(stage: Stage): Promise<string | undefined> {
  if (!stage.has("etcd") || !stage.has("h2load")) return undefined;
  const [url, peerUrl] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const clients = ["--listen-client-urls", url, "--advertise-client-urls", url];
  const cluster = ["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl];
  const self = ["--initial-cluster", `default=${peerUrl}`, "--logger", "zap", "--log-level", "error"];
  await stage.command(["etcd", ...clients, ...cluster, ...self, "--data-dir"], async () => {
    return (await fetch(`${url}/health`)).ok;
  });
  return url;
}

/** `Put` of one key of 1 KB, again and again: each is a revision of its own, written to disk before the answer. */
export function putRequest(url: string): H2Request {
  const message = new BinaryWriter().uint32(KEY_TAG).bytes(KEY).uint32(VALUE_TAG).bytes(Buffer.alloc(1_000, "x"));
  return grpcRequest(`${url}/etcdserverpb.KV/Put`, message);
}

/** `Range` of that key, linearizable as it is by default. */
export function rangeRequest(url: string): H2Request {
  return grpcRequest(`${url}/etcdserverpb.KV/Range`, new BinaryWriter().uint32(KEY_TAG).bytes(KEY));
}

function grpcRequest(url: string, message: BinaryWriter): H2Request {
  return { url, contentType: "application/grpc", body: grpcFrame(message.finish()) };
}
