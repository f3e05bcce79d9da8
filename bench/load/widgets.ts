/** The resources of most questions: 1 KB each, two labels. */
import { Agent } from "node:http";
import type { ResourceKey } from "../../src/resource/key.js";
import type { HttpRequests } from "./http-load.js";
import { send } from "./node-load.js";

const PATH = "/api/v1/groups/bench/namespaces/default/kinds/widget/resources";
/** The text makes a body of about 1,000 bytes. */
export const widget = { labels: { tier: "web", zone: "a" }, spec: { replicas: 3, text: "x".repeat(850) } };
/** As many as are read and updated in turn. */
const KEYS = 1_000;

let runs = 0;

/** Creates resources that no other run of this process has created, in so many shards in turn. */
export function creates(url: string, shards = 1): HttpRequests {
  return { url, method: "POST", path: PATH, body: bodyOf(`run-${++runs}-{n}`, "s{key}"), keys: shards };
}

/** Updates the seeded resources in turn, each time with another spec. */
export function updates(url: string): HttpRequests {
  return { url, method: "PUT", path: `${PATH}/seed-{key}`, body: bodyOf(`run-${++runs}-{n}`), keys: KEYS };
}

/** Reads the seeded resources in turn, or others of such names. */
export function gets(url: string, name = "seed-{key}"): HttpRequests {
  return { url, method: "GET", path: `${PATH}/${name}`, keys: KEYS };
}

/** The same over Connect JSON: the seeded resources in turn, or always the one called `name`. */
export function rpcGets(url: string, name = "seed-{key}", consistency = "CONSISTENCY_STRONG"): HttpRequests {
  const request = { key: keyOfSeeded(name), consistency, payloadEncoding: "PAYLOAD_ENCODING_JSON" };
  const path = "/reconcile.v1.ResourceService/GetResource";
  return { url, method: "POST", path, body: JSON.stringify(request), keys: KEYS };
}

/** As `rpcGets`, from the cache. */
export function cachedGets(url: string): HttpRequests {
  return rpcGets(url, undefined, "CONSISTENCY_CACHED");
}

export function keyOfSeeded(name: string): ResourceKey {
  return { resourceGroup: "bench", kind: "widget", namespace: "default", name };
}

/** Creates what `updates` and `gets` need. */
export function seed(url: string): Promise<void> {
  return createAll({ ...creates(url), body: bodyOf("seed-{n}") }, KEYS);
}

/** Creates so many resources that no other run has created. */
export function createMany(url: string, count: number): Promise<void> {
  return createAll(creates(url), count);
}

async function createAll(requests: HttpRequests, count: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  await Promise.all(Array.from({ length: count }, (_, n) => send(requests, n, agent)));
  agent.destroy();
}

function bodyOf(name: string, shard = "s0"): string {
  const { labels, spec } = widget;
  return JSON.stringify({ name, shard_id: shard, labels, spec: { write: name, ...spec } });
}
