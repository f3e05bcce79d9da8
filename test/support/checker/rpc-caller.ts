import type { ConnectError } from "@connectrpc/connect";
import { PayloadEncoding, type Resource } from "../../../gen/reconcile/v1/resource_pb.js";
import { ApplyResult, Consistency } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { ApiError, isOutcomeUnknown } from "../../../src/client/api-error.js";
import type { Connection } from "../../../src/client/connection.js";
import type { ResourceKey } from "../../../src/resource/key.js";
import { digest, keyText } from "../history.js";
import { readWireResource } from "../observer.js";
import {
  type Answer,
  type Caller,
  CallFailed,
  type Desired,
  type RpcOnly,
  undefinedIfNotFound,
  type Written,
  writtenBy,
} from "./caller.js";
import type { Failure, Guard } from "./operation.js";

const payloadEncoding = PayloadEncoding.JSON;

/** Calls one replica by the Connect protocol. */
export function rpcCaller({ resources, reconcilers }: Connection, timeoutMs: number): Caller & RpcOnly {
  const options = { timeoutMs };
  const get = (key: ResourceKey, consistency: Consistency) =>
    told(resources.getResource({ key, consistency, payloadEncoding }, options)).then(
      ({ resource }) => answerOf(resource),
      undefinedIfNotFound,
    );
  return {
    async create(desired) {
      const { resource } = await told(
        resources.createResource({ resource: inputOf(desired), payloadEncoding }, options),
      );
      return writtenBy(answerOf(resource));
    },
    async update(desired, guard) {
      const request = { resource: inputOf(desired), ...expectedBy(guard), payloadEncoding };
      return writtenBy(answerOf((await told(resources.updateResource(request, options))).resource));
    },
    async status(key, statusJson, guard, known) {
      const observed = known && guard.revision !== undefined ? { observedGeneration: BigInt(known.generation) } : {};
      const { expectedRevision, expectedGeneration } = expectedBy(guard);
      const request = { key, statusJson, ...observed, expectedRevision, expectedGeneration, payloadEncoding };
      return writtenBy(
        answerOf((await told(resources.updateResourceStatus(withoutUndefined(request), options))).resource),
      );
    },
    async delete(key, guard, propagation) {
      const { expectedUid, expectedRevision } = expectedBy(guard);
      const request = { key, expectedUid, expectedRevision, propagation, payloadEncoding };
      const { removed, resource } = await told(resources.deleteResource(withoutUndefined(request), options));
      return { answer: answerOf(resource), isRemoved: removed, isUnchanged: false };
    },
    get: (key) => get(key, Consistency.STRONG),
    getCached: (key) => get(key, Consistency.CACHED),
    async list(kind, tier, pageSize, pageToken) {
      const filter = { resourceGroup: "load", kind, labelSelector: tier === undefined ? "" : `tier in (${tier})` };
      const page = await told(resources.listResources({ filter, pageSize, pageToken, payloadEncoding }, options));
      return { answers: page.resources.map(answerOf), next: page.nextPageToken };
    },
    async apply(desired) {
      const applied = await told(resources.applyResource({ resource: inputOf(desired), payloadEncoding }, options));
      const written: Written = writtenBy(answerOf(applied.resource));
      return { ...written, isUnchanged: applied.result === ApplyResult.UNCHANGED };
    },
    async applyAll(desired) {
      const { results, failure } = await told(
        resources.applyResources({ resources: desired.map(inputOf) }, { timeoutMs }),
      );
      if (failure !== undefined) throw new Error(`a single run failed in part: ${failure.reason} ${failure.message}`);
      return results.map(({ uid, revision, result }) => ({
        uid,
        revision: Number(revision),
        isUnchanged: result === ApplyResult.UNCHANGED,
      }));
    },
    async force(key, finalizer, message) {
      const request = { key, finalizer, message, payloadEncoding };
      const { removed, resource } = await told(resources.forceRemoveFinalizer(request, options));
      return { answer: answerOf(resource), isRemoved: removed, isUnchanged: false };
    },
    async enqueue(key, message) {
      await told(reconcilers.enqueue({ key, message }, options));
    },
  };
}

function inputOf({ owner, labels, annotations, finalizers, ...rest }: Desired) {
  return {
    ...rest,
    ...(owner !== undefined && { owner: { ...owner, uid: "" } }),
    labels: { ...labels },
    annotations: { ...annotations },
    finalizers: [...finalizers],
  };
}

function expectedBy({ uid = "", revision, generation }: Guard) {
  return withoutUndefined({
    expectedUid: uid,
    expectedRevision: revision === undefined ? undefined : BigInt(revision),
    expectedGeneration: generation === undefined ? undefined : BigInt(generation),
  });
}

function answerOf(resource: Resource | undefined): Answer {
  if (resource === undefined) throw new Error("an answer without a resource");
  const { key, uid, finalizers, labels, shardId } = resource;
  return {
    key: keyText(key?.resourceGroup ?? "", key?.kind ?? "", key?.namespace ?? "", key?.name ?? ""),
    revision: Number(resource.revision),
    body: digest(readWireResource(resource)),
    generation: Number(resource.generation),
    observed: Number(resource.observedGeneration),
    isDeleting: resource.deletionRequestedAt !== undefined,
    ...{ uid, finalizers, labels, shardId },
  };
}

async function told<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw new CallFailed(failureOf(ApiError.from(error)), error);
  }
}

/** The library's word is what is judged. INTERNAL is none of the answers that a fault explains: said by a server, it counts as one. */
function failureOf(error: ApiError): Failure {
  const { code, reason, cause } = error;
  const isInternal = code === "INTERNAL" && (cause as ConnectError).metadata.keys().next().done === false;
  return { type: isOutcomeUnknown(error) && !isInternal ? "unknown" : "refused", code, reason };
}

/** For fields that are optional in a message: there undefined is not the same as absent. */
function withoutUndefined<T extends object>(fields: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  // What is left out is what the type leaves out.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof T]: Exclude<T[Name], undefined>;
  };
}
