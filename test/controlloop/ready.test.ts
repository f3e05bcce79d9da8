import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { LeasedItemSchema, StatusMode } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import type { Condition } from "../../src/controlloop/index.js";
import { PassDraft } from "../../src/controlloop/pass-draft.js";
import { aggregateReady } from "../../src/controlloop/ready.js";
import { done, requeueAfter, TerminalError } from "../../src/controlloop/result.js";

const condition = (type: string, status: Condition["status"], reason = "Why", message = "what") => ({
  type,
  status,
  reason,
  message,
});

describe("Ready over other conditions", () => {
  const ready = (...conditions: Condition[]) =>
    aggregateReady(["A", "B"], (type) => conditions.find((condition) => condition.type === type));

  it("is True only when all are", () => {
    expect(ready(condition("A", "True"), condition("B", "True"))).toMatchObject({
      status: "True",
      reason: "Reconciled",
    });
  });

  it("says what the first False one says, before one that is not known", () => {
    const told = ready(condition("A", "Unknown"), condition("B", "False", "Down", "no answer"));
    expect(told).toEqual(condition("Ready", "False", "Down", "B: no answer"));
  });

  it("is Unknown while one was never set", () => {
    expect(ready(condition("A", "True"))).toMatchObject({ status: "Unknown", reason: "NotSet" });
  });
});

describe("readyWhen", () => {
  const stored = { conditions: [condition("A", "True"), condition("Ready", "True")] };

  function draftOver(status: unknown, readyWhen: readonly string[] | undefined = ["A"]) {
    const resource = { statusJson: JSON.stringify(status), generation: 3n };
    return new PassDraft(create(LeasedItemSchema, { resource }), readyWhen);
  }
  const readyOf = (report: { readonly conditions: readonly { readonly type: string }[] }) =>
    report.conditions.find(({ type }) => type === "Ready");

  it("counts what the pass set before what is stored", () => {
    const draft = draftOver(stored);
    draft.setCondition("A", "False", "Down", "no answer");
    expect(readyOf(draft.finished(done()))).toMatchObject({ reason: "Down", message: "A: no answer" });
    expect(readyOf(draftOver(stored).finished(requeueAfter(10)))).toMatchObject({ reason: "Reconciled" });
  });

  it("does not count what an earlier generation left until this one is finished", () => {
    const old = { conditions: [{ ...condition("A", "True"), observedGeneration: 2 }] };
    const outdated = { status: 3, reason: "Outdated", message: "A: it tells of generation 2" };
    expect(readyOf(draftOver(old).finished(requeueAfter(10)))).toMatchObject(outdated);
    expect(readyOf(draftOver(old).finished(done()))).toMatchObject({ reason: "Reconciled" });
    const current = { conditions: [{ ...condition("A", "True"), observedGeneration: 3 }] };
    expect(readyOf(draftOver(current).finished(requeueAfter(10)))).toMatchObject({ reason: "Reconciled" });
    const set = draftOver(old);
    set.setCondition("A", "True", "Fine", "");
    expect(readyOf(set.finished(requeueAfter(10)))).toMatchObject({ reason: "Reconciled" });
  });

  it("does not count a stored condition that the new status drops", () => {
    expect(readyOf(draftOver(stored).finished(done({ size: 1 })))).toMatchObject({ reason: "NotSet" });
    expect(readyOf(draftOver(stored).finished(done({ size: 1, ...stored })))).toMatchObject({ reason: "Reconciled" });
  });

  it("turns False after a failure, in the same words each time", () => {
    const reports = [1, 2].map(() => readyOf(draftOver(stored).failed(new Error("disk full"))));
    expect(reports[0]).toMatchObject({ reason: "ReconcileFailed", message: "disk full" });
    expect(reports[1]).toEqual(reports[0]);
    const final = draftOver(stored).failedForGood(new TerminalError("NameTaken", "taken"));
    expect(readyOf(final)).toMatchObject({ reason: "NameTaken", message: "taken" });
  });

  it("is the only one to set Ready; without it nothing does", () => {
    expect(() => draftOver(stored).setCondition("Ready", "True", "Fine", "")).toThrow("kept by readyWhen");
    const draft = new PassDraft(create(LeasedItemSchema, {}));
    expect(draft.failed(new Error("x")).conditions).toEqual([]);
    expect(draft.finished(done()).conditions).toEqual([]);
  });

  it("takes an error whatever is in its text", () => {
    const report = draftOver(stored).failed(new Error("NUL \0 and half a character \ud800"));
    expect(readyOf(report)).toMatchObject({ message: "NUL \ufffd and half a character \ufffd" });
  });

  it("is judged by what a merged status leaves of the conditions", () => {
    const kept = draftOver(stored).finished(done<{ pages: number }>({ pages: null }, { merge: true }));
    expect(kept).toMatchObject({ statusMode: StatusMode.MERGE, statusJson: '{"pages":null}' });
    expect(kept.conditions).toMatchObject([{ type: "Ready", status: 1 }]);
    const replaced = draftOver(stored).finished(done({ pages: 1 }));
    expect(replaced).toMatchObject({ statusMode: StatusMode.REPLACE, conditions: [{ type: "Ready", status: 3 }] });
  });
});
