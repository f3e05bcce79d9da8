import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type LeasedItem,
  type PassReport,
  PassReportSchema,
  PassResult,
  ConditionStatus as WireConditionStatus,
} from "../../gen/reconcile/v1/reconciler_service_pb.js";
import type { ConditionStatus, ReconcileContext } from "./reconciler.js";
import type { PassOutcome, TerminalError } from "./result.js";

const CONDITION_STATUS = {
  True: WireConditionStatus.TRUE,
  False: WireConditionStatus.FALSE,
  Unknown: WireConditionStatus.UNKNOWN,
} as const satisfies Record<ConditionStatus, WireConditionStatus>;

/** What the server keeps of an error, and takes as the message of a condition. */
const MAX_ERROR_CHARACTERS = 4_096;

/** Collects what a pass wants stored and turns it, with the pass's end, into one report. */
export class PassDraft
  implements Pick<ReconcileContext, "setCondition" | "addFinalizer" | "removeFinalizer" | "setLabel" | "setAnnotation">
{
  readonly #item: LeasedItem;
  readonly #conditions = new Map<string, { status: WireConditionStatus; reason: string; message: string }>();
  /** True: add, false: remove. */
  readonly #finalizers = new Map<string, boolean>();
  readonly #labels = new Map<string, string | null>();
  readonly #annotations = new Map<string, string | null>();

  constructor(item: LeasedItem) {
    this.#item = item;
  }

  setCondition(type: string, status: ConditionStatus, reason: string, message: string): void {
    this.#conditions.set(type, { status: CONDITION_STATUS[status], reason, message });
  }

  addFinalizer(name: string): void {
    this.#finalizers.set(name, true);
  }

  removeFinalizer(name: string): void {
    this.#finalizers.set(name, false);
  }

  setLabel(key: string, value: string | null): void {
    this.#labels.set(key, value);
  }

  setAnnotation(key: string, value: string | null): void {
    this.#annotations.set(key, value);
  }

  /** The pass returned. */
  finished(outcome: PassOutcome<unknown>): PassReport {
    const { type, status } = outcome;
    const end =
      type === "done"
        ? { result: PassResult.SUCCESS, ...this.#observed() }
        : { result: PassResult.REQUEUE_AFTER, requeueAfter: durationFromMs(outcome.afterMs) };
    const statusJson = status === undefined ? "" : JSON.stringify(status);
    return create(PassReportSchema, { ...this.#changes(), ...end, statusJson });
  }

  /** The pass failed; what it had set until then is stored with the error. */
  failed(error: unknown): PassReport {
    return create(PassReportSchema, { ...this.#changes(), result: PassResult.ERROR, error: describeError(error) });
  }

  /** The pass failed in a way that only a change of the resource can mend: settled, and visible in the status. */
  failedForGood(error: TerminalError): PassReport {
    this.setCondition("Ready", "False", error.reason, describeError(error));
    return create(PassReportSchema, { ...this.#changes(), ...this.#observed(), result: PassResult.SUCCESS });
  }

  /** The pass did not come to an end: somebody else shall do it. Nothing it set is stored. */
  released(): PassReport {
    return create(PassReportSchema, { ...this.#address(), result: PassResult.RELEASE });
  }

  #address() {
    const key = this.#item.resource?.key;
    return { leaseToken: this.#item.leaseToken, ...(key !== undefined && { key }) };
  }

  #observed() {
    return { observedGeneration: this.#item.resource?.generation ?? 0n };
  }

  #changes() {
    const finalizers = (wanted: boolean) =>
      [...this.#finalizers].filter(([, add]) => add === wanted).map(([name]) => name);
    return {
      ...this.#address(),
      conditions: [...this.#conditions].map(([type, condition]) => ({ type, ...condition })),
      addFinalizers: finalizers(true),
      removeFinalizers: finalizers(false),
      labels: patch(this.#labels),
      annotations: patch(this.#annotations),
    };
  }
}

/** What an error report and the condition of a thrown value say. Anything may have been thrown, of any size. */
export function describeError(error: unknown): string {
  try {
    const text = error instanceof Error ? error.message || error.name : error;
    return String(text).slice(0, MAX_ERROR_CHARACTERS);
  } catch {
    return "a thrown value that has no text";
  }
}

function patch(entries: ReadonlyMap<string, string | null>): Record<string, { value?: string }> {
  return Object.fromEntries([...entries].map(([key, value]) => [key, value === null ? {} : { value }]));
}
