import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Owner as OwnerMessage,
  PayloadEncoding,
  type ResourceKey as ResourceKeyMessage,
  type Resource as ResourceMessage,
  ResourceSchema,
} from "../../../gen/reconcile/v1/resource_pb.js";
import type { ResourceInput as ResourceInputMessage } from "../../../gen/reconcile/v1/resource_service_pb.js";
import type { ResourceInput } from "../../resource/command.js";
import { conditionsText } from "../../resource/conditions.js";
import type { ResourceKey } from "../../resource/key.js";
import type { Owner } from "../../resource/owner.js";
import type { Resource, StringMap } from "../../resource/resource.js";
import { payloadText, payloadValue } from "./payload.js";

const NO_KEY: ResourceKey = { resourceGroup: "", kind: "", namespace: "", name: "" };

/** A key from the wire, unchecked; a missing one has empty parts, which the domain refuses by name. */
export function decodeKey(message: ResourceKeyMessage | undefined): ResourceKey {
  if (message === undefined) return NO_KEY;
  return {
    resourceGroup: message.resourceGroup,
    kind: message.kind,
    namespace: message.namespace,
    name: message.name,
  };
}

/** The desired state from the wire, unchecked but for the choice between spec and spec_json. */
export function decodeInput(message: ResourceInputMessage | undefined): ResourceInput {
  return {
    key: decodeKey(message?.key),
    shardId: message?.shardId ?? "",
    labels: decodeMap(message?.labels),
    annotations: decodeMap(message?.annotations),
    finalizers: message?.finalizers ?? [],
    owner: decodeOwner(message?.owner),
    specJson: payloadText("spec", message?.spec, message?.specJson ?? ""),
  };
}

/** Unset: as stored; one with nothing in it: none. */
function decodeOwner(message: OwnerMessage | undefined): Owner | null | undefined {
  if (message === undefined) return undefined;
  const { resourceGroup, kind, name, uid } = message;
  return [resourceGroup, kind, name, uid].every((part) => part === "") ? null : { resourceGroup, kind, name, uid };
}

function decodeMap(map: Readonly<Record<string, string>> | undefined): StringMap {
  return new Map(Object.entries(map ?? {}));
}

/** A resource for the wire; `id` stays inside. */
export function encodeResource(resource: Resource, encoding: PayloadEncoding): ResourceMessage {
  return create(ResourceSchema, {
    key: resource.key,
    uid: resource.uid,
    shardId: resource.shardId,
    labels: Object.fromEntries(resource.labels),
    annotations: Object.fromEntries(resource.annotations),
    finalizers: [...resource.finalizers],
    ...encodePayloads(resource, encoding),
    generation: resource.generation,
    observedGeneration: resource.observedGeneration,
    revision: resource.revision,
    createdAt: timestampFromDate(resource.createdAt),
    updatedAt: timestampFromDate(resource.updatedAt),
    deletionRequestedAt: encodeTime(resource.deletionRequestedAt),
    writeCount: resource.writeCount,
    owner: resource.owner ?? undefined,
  });
}

function encodePayloads({ specJson, statusJson }: Resource, encoding: PayloadEncoding) {
  switch (encoding) {
    case PayloadEncoding.JSON:
      return { specJson: specJson ?? "null", statusJson: statusJson ?? "null" };
    case PayloadEncoding.SUMMARY: {
      const conditions = conditionsText(statusJson);
      return { statusJson: conditions === undefined ? "" : `{"conditions":${conditions}}` };
    }
    default:
      return { spec: payloadValue(specJson), status: payloadValue(statusJson) };
  }
}

/** A time for the wire; null is unset. */
export function encodeTime(time: Date | null): Timestamp | undefined {
  return time === null ? undefined : timestampFromDate(time);
}
