import type { ServiceImpl } from "@connectrpc/connect";
import {
  ApplyResult,
  Consistency,
  DeletionPropagation as DeletionPropagationMessage,
  type ResourceFilter as ResourceFilterMessage,
  type ResourceService as ResourceServiceDescriptor,
} from "../../../gen/reconcile/v1/resource_service_pb.js";
import type { DeletionPropagation, Outcome, Precondition } from "../../resource/command.js";
import { invalidField } from "../../resource/errors.js";
import { PAGE_MAX_BYTES, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX } from "../../resource/limits.js";
import { parseLabelSelector } from "../../resource/parse-label-selector.js";
import type { ResourceFilter } from "../../resource/resource-filter.js";
import { validateFilter } from "../../resource/validate.js";
import type { ResourceService } from "../service/resource-service.js";
import type { WatchSource } from "../watch/watch.js";
import { pageSize } from "./page-size.js";
import { payloadText } from "./payload.js";
import { decodeInput, decodeKey, encodeResource } from "./resource-codec.js";
import { WatchEncoder } from "./watch-encoder.js";

const PAGE_SIZE = { default: PAGE_SIZE_DEFAULT, max: PAGE_SIZE_MAX };

/** ResourceService on Connect, gRPC and gRPC-Web: decodes, calls, encodes. */
export function resourceHandler(
  resources: ResourceService,
  source: WatchSource,
): ServiceImpl<typeof ResourceServiceDescriptor> {
  const encoder = new WatchEncoder();
  return {
    async createResource({ resource, payloadEncoding }) {
      const created = await resources.create(decodeInput(resource));
      return { resource: encodeResource(created, payloadEncoding) };
    },

    async getResource({ key, consistency, payloadEncoding }) {
      const found = await resources.get(decodeKey(key), consistency === Consistency.CACHED ? "CACHED" : "STRONG");
      return { resource: encodeResource(found, payloadEncoding) };
    },

    async listResources({ filter, pending, pageSize: size, pageToken, payloadEncoding }) {
      const page = await resources.list({
        filter: decodeFilter(filter),
        pendingOnly: pending,
        pageToken,
        offset: 0,
        limit: pageSize("page_size", size, PAGE_SIZE),
        maxBytes: PAGE_MAX_BYTES,
      });
      return {
        resources: page.resources.map((resource) => encodeResource(resource, payloadEncoding)),
        nextPageToken: page.nextPageToken ?? "",
        resumeToken: page.resumeToken,
      };
    },

    async updateResource(request) {
      const updated = await resources.update(decodeInput(request.resource), decodePrecondition(request));
      return { resource: encodeResource(updated, request.payloadEncoding) };
    },

    async applyResource({ resource, payloadEncoding }) {
      const applied = await resources.apply(decodeInput(resource));
      return { resource: encodeResource(applied.resource, payloadEncoding), result: applyResult(applied.outcome) };
    },

    async updateResourceStatus(request) {
      const updated = await resources.updateStatus({
        key: decodeKey(request.key),
        statusJson: payloadText("status", request.status, request.statusJson),
        observedGeneration: request.observedGeneration,
        metadata: undefined,
        expected: decodePrecondition(request),
      });
      return { resource: encodeResource(updated, request.payloadEncoding) };
    },

    async deleteResource(request) {
      const propagation = decodePropagation(request.propagation);
      const deleted = await resources.delete(decodeKey(request.key), decodePrecondition(request), propagation);
      const resource = encodeResource(deleted.resource, request.payloadEncoding);
      return { removed: deleted.outcome === "REMOVED", resource };
    },

    async forceRemoveFinalizer(request) {
      const { key, finalizer, message, payloadEncoding } = request;
      const forced = await resources.forceFinalizer(decodeKey(key), finalizer, message, decodePrecondition(request));
      return { removed: forced.outcome === "REMOVED", resource: encodeResource(forced.resource, payloadEncoding) };
    },

    async *watchResources(request, { signal, requestHeader }) {
      const filter = decodeFilter(request.filter);
      validateFilter(filter);
      const watch = {
        filter,
        sendInitialState: request.sendInitialState,
        resumeToken: request.resumeToken || undefined,
      };
      const format = requestHeader.get("content-type")?.includes("json") ? "json" : "binary";
      for await (const batch of await source.open(watch, signal)) {
        yield encoder.encode(batch, request.payloadEncoding, format);
      }
      // Nothing but an abort ends a watch quietly, and a deadline or shutdown must not look like a complete answer.
      signal.throwIfAborted();
    },
  };
}

/** An apply that drops the last finalizer of a deleting resource removes it; for the caller it did write. */
function applyResult(outcome: Outcome): ApplyResult {
  if (outcome === "CREATED") return ApplyResult.CREATED;
  return outcome === "UNCHANGED" ? ApplyResult.UNCHANGED : ApplyResult.UPDATED;
}

function decodeFilter(message: ResourceFilterMessage | undefined): ResourceFilter {
  return {
    resourceGroup: message?.resourceGroup || undefined,
    kind: message?.kind || undefined,
    namespace: message?.namespace || undefined,
    name: message?.name || undefined,
    shardId: message?.shardId || undefined,
    ownerUid: message?.ownerUid || undefined,
    labels: message?.labelSelector ? parseLabelSelector(message.labelSelector) : undefined,
  };
}

function decodePropagation(propagation: DeletionPropagationMessage): DeletionPropagation {
  switch (propagation) {
    case DeletionPropagationMessage.UNSPECIFIED:
    case DeletionPropagationMessage.BACKGROUND:
      return "BACKGROUND";
    case DeletionPropagationMessage.FOREGROUND:
      return "FOREGROUND";
    case DeletionPropagationMessage.ORPHAN:
      return "ORPHAN";
    default:
      // A client of a newer contract; guessing would delete what it wanted to keep.
      throw invalidField("propagation", `must be BACKGROUND, FOREGROUND or ORPHAN (got ${String(propagation)})`);
  }
}

function decodePrecondition(message: {
  readonly expectedRevision?: bigint | undefined;
  readonly expectedGeneration?: bigint | undefined;
  readonly expectedUid?: string;
}): Precondition {
  return {
    revision: message.expectedRevision,
    generation: message.expectedGeneration,
    uid: message.expectedUid || undefined,
  };
}
