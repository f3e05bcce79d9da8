import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  type ApplyResourcesRequest,
  type ApplyResourcesResponseSchema,
  ApplyResult,
} from "../../../gen/reconcile/v1/resource_service_pb.js";
import type { Outcome } from "../../resource/command.js";
import { DomainError } from "../../resource/errors.js";
import { PAGE_MAX_BYTES } from "../../resource/limits.js";
import type { FailedRun } from "../service/apply-all.js";
import type { ResourceService } from "../service/resource-service.js";
import { outcomeName } from "./error-mapping.js";
import { decodeInput, encodeResource } from "./resource-codec.js";

type Answer = MessageInitShape<typeof ApplyResourcesResponseSchema>;

/** ApplyResources: decodes, calls, encodes. */
export async function applyResources(
  service: ResourceService,
  { resources, dryRun, includeResources, payloadEncoding }: ApplyResourcesRequest,
  { signal }: Pick<HandlerContext, "signal">,
): Promise<Answer> {
  const inputs = { count: resources.length, decode: (index: number) => decodeInput(resources[index]) };
  const maxBytes = includeResources ? PAGE_MAX_BYTES : 0;
  const { results, failure } = await service.applyAll(inputs, { dryRun, maxBytes, signal });
  return {
    results: results.map(({ outcome, resource, previous, ...numbers }) => ({
      result: applyResult(outcome),
      ...numbers,
      resource: resource && encodeResource(resource, payloadEncoding),
      previous: dryRun && previous ? encodeResource(previous, payloadEncoding) : undefined,
    })),
    failure: failure && encodeFailure(failure),
  };
}

/** An apply that drops the last finalizer of a deleting resource removes it; for the caller it did write. */
export function applyResult(outcome: Outcome): ApplyResult {
  if (outcome === "CREATED") return ApplyResult.CREATED;
  return outcome === "UNCHANGED" ? ApplyResult.UNCHANGED : ApplyResult.UPDATED;
}

function encodeFailure({ error, count }: FailedRun): Answer["failure"] {
  if (!(error instanceof DomainError)) {
    return {
      code: "internal",
      message: "internal error, which the operator finds in the server's log",
      count,
      isOutcomeUnknown: true,
    };
  }
  const { reason, field, message } = error;
  return {
    code: outcomeName(error),
    reason,
    field,
    message,
    count,
    isOutcomeUnknown: error.code === "DEADLINE_EXCEEDED",
  };
}
