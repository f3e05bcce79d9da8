import { DeletionPropagation } from "../../../gen/reconcile/v1/resource_service_pb.js";
import type { ResourceKey } from "../../../src/resource/key.js";
import { digest, keyText } from "../history.js";
import { type DialectResource, readDialectResource } from "../observer.js";
import { type Answer, type Caller, CallFailed, type Desired, undefinedIfNotFound, writtenBy } from "./caller.js";
import type { Failure } from "./operation.js";

const PROPAGATIONS: Readonly<Record<DeletionPropagation, string>> = {
  [DeletionPropagation.UNSPECIFIED]: "background",
  [DeletionPropagation.BACKGROUND]: "background",
  [DeletionPropagation.FOREGROUND]: "foreground",
  [DeletionPropagation.ORPHAN]: "orphan",
};

/** The statuses and words of the dialect as the codes and reasons of RPC; see rest-dialect.ts. */
const REFUSALS: readonly (readonly [status: number, words: RegExp, code: string, reason: string])[] = [
  [400, /^Already exists/, "ALREADY_EXISTS", "ALREADY_EXISTS"],
  [400, /^Validation failed: owner .* does not exist/, "FAILED_PRECONDITION", "OWNER_NOT_FOUND"],
  [400, /^Validation failed: owner .* being deleted/, "FAILED_PRECONDITION", "OWNER_DELETING"],
  [400, /^(Validation failed: )?finalizers must not add /, "FAILED_PRECONDITION", "FINALIZER_ADDED_WHILE_DELETING"],
  [404, /./, "NOT_FOUND", "NOT_FOUND"],
  [409, /^Version conflict/, "ABORTED", "GENERATION_CONFLICT"],
  [429, /./, "RESOURCE_EXHAUSTED", "OVERLOADED"],
  [503, /./, "UNAVAILABLE", "STORE_UNAVAILABLE"],
];

/** Calls one replica by the REST dialect. Of the guards it knows the generation alone. */
export function restCaller(baseUrl: string, timeoutMs: number): Caller {
  const send = async (method: string, path: string, body?: object) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const text = body === undefined ? null : JSON.stringify(body);
    const response = await fetch(`${baseUrl}/api/v1${path}`, { method, body: text, signal }).catch(unknown);
    const answer = await response.text().catch(unknown);
    if (!response.ok) throw new CallFailed(failureOf(response.status, answer), answer);
    const next = response.headers.get("next-page-token") ?? "";
    return { json: answer === "" ? undefined : JSON.parse(answer), next };
  };
  const sendForOne = async (method: string, path: string, body?: object) =>
    answerOf((await send(method, path, body)).json as DialectResource);
  return {
    create: async (desired) =>
      writtenBy(await sendForOne("POST", collection(desired.key), { ...bodyOf(desired), name: desired.key.name })),
    update: async (desired, { generation }) =>
      writtenBy(await sendForOne("PUT", place(desired.key), { ...bodyOf(desired), version: generation })),
    status: async (key, statusJson, { generation }, known) => {
      // The server's own are not taken off by leaving them out, and nobody may put one on that has gone meanwhile.
      const finalizers = known?.finalizers.filter((name) => !name.startsWith("reconcile.dev/"));
      const metadata = { shard_id: known?.shardId, labels: known?.labels, finalizers };
      const versions = { version: generation, current_version: known?.observed };
      const body = { ...metadata, ...versions, status: JSON.parse(statusJson) };
      return writtenBy(await sendForOne("PUT", `${place(key)}/status`, body));
    },
    delete: async (key, _, propagation) => {
      await send("DELETE", `${place(key)}?propagation=${PROPAGATIONS[propagation]}`);
      return { answer: undefined, isRemoved: false, isUnchanged: false };
    },
    get: (key) => sendForOne("GET", place(key)).catch(undefinedIfNotFound),
    list: async (kind, tier, limit, from) => {
      const query = new URLSearchParams({ resource_group: "load", kind, limit: String(limit), page_token: from });
      if (tier !== undefined) query.set("label_selector", `tier in (${tier})`);
      const { json, next } = await send("GET", `/resources?${query}`);
      return { answers: (json as DialectResource[]).map(answerOf), next };
    },
  };
}

function unknown(cause: unknown): never {
  const code = cause instanceof Error && cause.name === "TimeoutError" ? "DEADLINE_EXCEEDED" : "UNAVAILABLE";
  throw new CallFailed({ type: "unknown", code, reason: "" }, cause);
}

function failureOf(status: number, answer: string): Failure {
  if (status === 504) return { type: "unknown", code: "DEADLINE_EXCEEDED", reason: "" };
  const words = messageIn(answer);
  const found = REFUSALS.find(([number, pattern]) => number === status && pattern.test(words));
  const [, , code = `status ${status}`, reason = words] = found ?? [];
  return { type: "refused", code, reason };
}

function messageIn(answer: string): string {
  try {
    return String(JSON.parse(answer).error);
  } catch {
    return answer;
  }
}

function collection({ resourceGroup, namespace, kind }: ResourceKey): string {
  return `/groups/${resourceGroup}/namespaces/${namespace}/kinds/${kind}/resources`;
}

function place(key: ResourceKey): string {
  return `${collection(key)}/${key.name}`;
}

/** The payloads are written as JSON.stringify writes them, so nothing is lost on the way. */
function bodyOf({ shardId, labels, annotations, finalizers, specJson, owner }: Desired) {
  const named = owner && { resource_group: owner.resourceGroup, kind: owner.kind, name: owner.name };
  return { shard_id: shardId, labels, annotations, finalizers, spec: JSON.parse(specJson), owner: named };
}

function answerOf(resource: DialectResource & { readonly revision?: number }): Answer {
  const body = readDialectResource(resource);
  return {
    key: keyText(...body.key),
    uid: body.uid,
    revision: Number(resource.revision),
    body: digest(body),
    generation: body.generation,
    observed: body.observed,
    isDeleting: body.isDeleting,
    finalizers: body.finalizers,
    labels: body.labels,
    shardId: body.shard,
  };
}
