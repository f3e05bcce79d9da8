import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { PayloadEncoding } from "../../../gen/reconcile/v1/resource_pb.js";
import {
  Consistency,
  DeletionPropagation as DeletionPropagationMessage,
  EventType,
  type ResourceFilter as ResourceFilterMessage,
  type ResourceService as ResourceServiceDescriptor,
} from "../../../gen/reconcile/v1/resource_service_pb.js";
import type { DeletionPropagation, Precondition } from "../../resource/command.js";
import { invalidField } from "../../resource/errors.js";
import { PAGE_MAX_BYTES, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX } from "../../resource/limits.js";
import { parseLabelSelector } from "../../resource/parse-label-selector.js";
import type { ResourceFilter } from "../../resource/resource-filter.js";
import { validateFilter } from "../../resource/validate.js";
import type { ResourceService } from "../service/resource-service.js";
import type { WatchSource } from "../watch/watch.js";
import { applyResources, applyResult } from "./apply-resources.js";
import { HISTORY_PAGE_SIZE, pageSize } from "./page-size.js";
import { payloadText } from "./payload.js";
import { decodeInput, decodeKey, encodeResource, encodeTime } from "./resource-codec.js";
import { WatchEncoder } from "./watch-encoder.js";

const PAGE_SIZE = { default: PAGE_SIZE_DEFAULT, max: PAGE_SIZE_MAX };

/** ResourceService on Connect, gRPC and gRPC-Web: decodes, calls, encodes. */
export function resourceHandler(
  resources: ResourceService,
  source: WatchSource,
): ServiceImpl<typeof ResourceServiceDescriptor> {
  const encoder = new WatchEncoder();
  return {
    async createResource({ resource, payloadEncoding, dryRun }) {
      const created = await resources.create(decodeInput(resource), { dryRun });
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
        withoutSpec: payloadEncoding === PayloadEncoding.SUMMARY,
        maxBytes: PAGE_MAX_BYTES,
      });
      return {
        resources: page.resources.map((resource) => encodeResource(resource, payloadEncoding)),
        nextPageToken: page.nextPageToken ?? "",
        resumeToken: page.resumeToken,
      };
    },

    async updateResource(request) {
      const updated = await resources.update(decodeInput(request.resource), decodePrecondition(request), request);
      return { resource: encodeResource(updated, request.payloadEncoding) };
    },

    async applyResource({ resource, payloadEncoding, dryRun }) {
      const applied = await resources.apply(decodeInput(resource), { dryRun });
      return {
        resource: encodeResource(applied.resource, payloadEncoding),
        result: applyResult(applied.outcome),
        previous: dryRun && applied.previous ? encodeResource(applied.previous, payloadEncoding) : undefined,
      };
    },

    applyResources: (request, context) => applyResources(resources, request, context),

    async updateResourceStatus(request) {
      const write = {
        key: decodeKey(request.key),
        statusJson: payloadText("status", request.status, request.statusJson),
        observedGeneration: request.observedGeneration,
        metadata: undefined,
        expected: decodePrecondition(request),
      };
      const updated = await resources.updateStatus(write, request);
      return { resource: encodeResource(updated, request.payloadEncoding) };
    },

    async deleteResource(request) {
      const propagation = decodePropagation(request.propagation);
      const deleted = await resources.delete(decodeKey(request.key), decodePrecondition(request), propagation, request);
      const resource = encodeResource(deleted.resource, request.payloadEncoding);
      return { removed: deleted.outcome === "REMOVED", resource };
    },

    async forceRemoveFinalizer(request) {
      const { key, finalizer, message, payloadEncoding } = request;
      const expected = decodePrecondition(request);
      const forced = await resources.forceFinalizer(decodeKey(key), finalizer, message, expected, request);
      return { removed: forced.outcome === "REMOVED", resource: encodeResource(forced.resource, payloadEncoding) };
    },

    async listKinds() {
      const { kinds, countedAt } = await resources.kinds();
      return {
        kinds: kinds.map((kind) => ({ ...kind, oldestDueAt: encodeTime(kind.oldestDueAt) })),
        countedAt: timestampFromDate(countedAt),
      };
    },

    async getHistory({ key, pageSize: size, pageToken, payloadEncoding }) {
      const { entries, nextPageToken } = await resources.history({
        key: decodeKey(key),
        pageToken,
        limit: pageSize("page_size", size, HISTORY_PAGE_SIZE),
        maxBytes: PAGE_MAX_BYTES,
      });
      return {
        entries: entries.map(({ change, committedAt }) => ({
          type: EventType[change.type],
          revision: change.revision,
          committedAt: timestampFromDate(committedAt),
          resource: encodeResource(change.resource, payloadEncoding),
        })),
        nextPageToken: nextPageToken ?? "",
      };
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
