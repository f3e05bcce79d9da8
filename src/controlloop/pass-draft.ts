import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type LeasedItem,
  type PassReport,
  PassReportSchema,
  PassResult,
  StatusMode,
  ConditionStatus as WireConditionStatus,
} from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { jsonText } from "../client/json-value.js";
import { mergePatch } from "../resource/merge-patch.js";
import { type Condition, findConditionIn } from "./conditions.js";
import { describeError } from "./describe-error.js";
import { aggregateReady, notReadyAfter, outdated, READY } from "./ready.js";
import type { ConditionStatus, ReconcileContext } from "./reconciler.js";
import type { PassOutcome, TerminalError } from "./result.js";

const CONDITION_STATUS = {
  True: WireConditionStatus.TRUE,
  False: WireConditionStatus.FALSE,
  Unknown: WireConditionStatus.UNKNOWN,
} as const satisfies Record<ConditionStatus, WireConditionStatus>;

/** Collects what a pass wants stored and turns it, with the pass's end, into one report. */
export class PassDraft
  implements Pick<ReconcileContext, "setCondition" | "addFinalizer" | "removeFinalizer" | "setLabel" | "setAnnotation">
{
  readonly #item: LeasedItem;
  readonly #readyWhen: readonly string[] | undefined;
  readonly #conditions = new Map<string, Condition>();
  /** True: add, false: remove. */
  readonly #finalizers = new Map<string, boolean>();
  readonly #labels = new Map<string, string | null>();
  readonly #annotations = new Map<string, string | null>();

  /** `readyWhen`: see {@link ReconcilerDefinition.readyWhen}. */
  constructor(item: LeasedItem, readyWhen?: readonly string[]) {
    this.#item = item;
    this.#readyWhen = readyWhen;
  }

  setCondition(type: string, status: ConditionStatus, reason: string, message: string): void {
    if (type === READY && this.#readyWhen !== undefined) {
      throw new Error("the condition Ready is kept by readyWhen; set one of the conditions it names instead");
    }
    this.#conditions.set(type, { type, status, reason, message });
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
    const { status, isMerge } = outcome;
    const end =
      outcome.type === "done"
        ? { result: PassResult.SUCCESS, ...this.#observed() }
        : { result: PassResult.REQUEUE_AFTER, requeueAfter: durationFromMs(outcome.afterMs) };
    const statusJson = status === undefined ? "" : jsonText("status", status);
    const statusMode = isMerge ? StatusMode.MERGE : StatusMode.REPLACE;
    if (this.#readyWhen !== undefined) {
      const stored = this.#item.resource?.statusJson || "null";
      const after = isMerge ? mergePatch(stored, statusJson || "{}") : statusJson || stored;
      this.#set(aggregateReady(this.#readyWhen, this.#conditionAfter(after, outcome.type === "done")));
    }
    return create(PassReportSchema, { ...this.#changes(), ...end, statusJson, statusMode });
  }

  /** The pass failed; what it had set until then is stored with the error. */
  failed(error: unknown): PassReport {
    const text = describeError(error);
    if (this.#readyWhen !== undefined) this.#set(notReadyAfter(text));
    return create(PassReportSchema, { ...this.#changes(), result: PassResult.ERROR, error: text });
  }

  /** The pass failed in a way that only a change of the resource can mend: settled, and visible in the status. */
  failedForGood(error: TerminalError): PassReport {
    this.#set({ type: READY, status: "False", reason: error.reason, message: describeError(error) });
    return create(PassReportSchema, { ...this.#changes(), ...this.#observed(), result: PassResult.SUCCESS });
  }

  /** The pass did not come to an end: somebody else shall do it. Nothing it set is stored. */
  released(): PassReport {
    return create(PassReportSchema, { ...this.#address(), result: PassResult.RELEASE });
  }

  #set(condition: Condition): void {
    this.#conditions.set(condition.type, condition);
  }

  /**
   * Conditions as the report leaves them over a status, which takes the place of all that it does not repeat. Until the generation is
   * finished, one that tells of an earlier generation says nothing about it.
   */
  #conditionAfter(statusJson: string, isFinished: boolean): (type: string) => Condition | undefined {
    const status: unknown = JSON.parse(statusJson);
    const generation = Number(this.#item.resource?.generation ?? 0n);
    return (type) => {
      const condition = this.#conditions.get(type) ?? findConditionIn(status, type);
      const { observedGeneration = generation } = condition ?? {};
      return condition !== undefined && !isFinished && observedGeneration < generation
        ? outdated(type, observedGeneration)
        : condition;
    };
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
      conditions: [...this.#conditions.values()].map((condition) => ({
        ...condition,
        status: CONDITION_STATUS[condition.status],
      })),
      addFinalizers: finalizers(true),
      removeFinalizers: finalizers(false),
      labels: patch(this.#labels),
      annotations: patch(this.#annotations),
    };
  }
}

function patch(entries: ReadonlyMap<string, string | null>): Record<string, { value?: string }> {
  return Object.fromEntries([...entries].map(([key, value]) => [key, value === null ? {} : { value }]));
}
