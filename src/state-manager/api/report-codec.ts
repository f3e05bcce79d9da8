import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type Condition,
  ConditionStatus,
  type OptionalString,
  type PassReport as PassReportMessage,
  PassResult as PassResultCode,
  StatusMode,
} from "../../../gen/reconcile/v1/reconciler_service_pb.js";
import { DomainError, invalidField } from "../../resource/errors.js";
import type { ConditionUpdate, PassReport, PassResult } from "../../resource/work.js";
import { payloadText } from "./payload.js";
import { decodeKey } from "./resource-codec.js";

/** A report from the wire; one that cannot be read is refused alone, the others of its batch count. */
export function decodeReport(message: PassReportMessage): PassReport | { readonly invalid: string } {
  try {
    return {
      key: decodeKey(message.key),
      leaseToken: message.leaseToken,
      result: decodeResult(message),
      observedGeneration: message.observedGeneration,
      statusJson: decodeStatus(message),
      statusMode: decodeStatusMode(message.statusMode),
      conditions: message.conditions.map(decodeCondition),
      addFinalizers: message.addFinalizers,
      removeFinalizers: message.removeFinalizers,
      labels: decodePatch(message.labels),
      annotations: decodePatch(message.annotations),
    };
  } catch (error) {
    if (error instanceof DomainError) return { invalid: error.message };
    throw error;
  }
}

function decodeResult({ result, requeueAfter, error }: PassReportMessage): PassResult {
  switch (result) {
    case PassResultCode.SUCCESS:
      return { type: "SUCCESS" };
    case PassResultCode.REQUEUE_AFTER:
      if (requeueAfter === undefined) throw invalidField("requeue_after", "must be set with REQUEUE_AFTER");
      return { type: "REQUEUE_AFTER", afterMs: durationMs(requeueAfter) };
    case PassResultCode.ERROR:
      return { type: "ERROR", error };
    case PassResultCode.RELEASE:
      return { type: "RELEASE" };
    default:
      throw invalidField("result", `must be SUCCESS, REQUEUE_AFTER, ERROR or RELEASE (got ${result})`);
  }
}

/** Undefined leaves the status as it is; a null value is a status that is null. */
function decodeStatus({ status, statusJson }: PassReportMessage): string | undefined {
  if (status === undefined && statusJson === "") return undefined;
  return payloadText("status", status, statusJson) ?? "null";
}

function decodeStatusMode(mode: StatusMode): PassReport["statusMode"] {
  switch (mode) {
    case StatusMode.UNSPECIFIED:
    case StatusMode.REPLACE:
      return "REPLACE";
    case StatusMode.MERGE:
      return "MERGE";
    default:
      throw invalidField("status_mode", `must be REPLACE or MERGE (got ${mode})`);
  }
}

function decodeCondition({ type, status, reason, message }: Condition, index: number): ConditionUpdate {
  return { type, status: decodeConditionStatus(status, `conditions[${index}].status`), reason, message };
}

function decodeConditionStatus(status: ConditionStatus, field: string): ConditionUpdate["status"] {
  switch (status) {
    case ConditionStatus.TRUE:
      return "True";
    case ConditionStatus.FALSE:
      return "False";
    case ConditionStatus.UNKNOWN:
      return "Unknown";
    default:
      throw invalidField(field, `must be TRUE, FALSE or UNKNOWN (got ${status})`);
  }
}

function decodePatch(patch: Readonly<Record<string, OptionalString>>): ReadonlyMap<string, string | null> {
  return new Map(Object.entries(patch).map(([key, { value }]) => [key, value ?? null]));
}
