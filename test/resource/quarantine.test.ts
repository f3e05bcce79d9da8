import { describe, expect, it } from "vitest";
import type { Command } from "../../src/resource/command.js";
import { type Decision, decide, type KeyState } from "../../src/resource/decide.js";
import type { Resource } from "../../src/resource/resource.js";
import type { PassResult, WorkItem } from "../../src/resource/work.js";
import { thing } from "../support/things.js";

const NOW = new Date("2026-01-01T00:00:00Z");
const LATER = new Date("2026-01-01T01:00:00Z");
const input = thing("a", { specJson: "{}" });
const { key } = input;

const context = { now: LATER, newId: () => 7n, newUid: () => "uid", random: () => 0, findOwner: () => undefined };
const run = (state: KeyState, command: Command) => decide(state, command, context);

/** A quarantined resource; `over` replaces parts of it. */
function quarantined(over: { resource?: Partial<Resource>; item?: Partial<WorkItem> } = {}): KeyState {
  const created = decide(
    { resource: undefined, item: undefined, isSessionLive: false },
    { type: "create", input },
    context,
  );
  if (created.resource === undefined || created.item === undefined) throw new Error("create makes both");
  const item = { ...created.item, strikes: 5, deaths: 6, quarantinedAt: NOW, lastError: "worker w/1 died" };
  return {
    resource: { ...created.resource, ...over.resource },
    item: { ...item, dueAt: LATER, ...over.item },
    isSessionLive: true,
  };
}

function shown(state: KeyState = quarantined()): KeyState {
  const { resource, item } = run(state, { type: "show-quarantine", key });
  return { ...state, resource, item };
}

function tried(state: KeyState): KeyState {
  if (state.item === undefined) throw new Error("nothing to try");
  const { wanted } = state.item;
  const lease = { token: "t", sessionId: "s", resourceId: 7n, wanted, leasedAt: LATER };
  const deadline = new Date(LATER.getTime() + 1_000);
  return { ...state, item: { ...state.item, dueAt: null, lease: { ...lease, deadline } } };
}

function report(result: PassResult, statusJson?: string): Command {
  return {
    type: "report",
    report: {
      key,
      leaseToken: "t",
      result,
      observedGeneration: 1n,
      statusJson,
      statusMode: "MERGE",
      conditions: [],
      addFinalizers: [],
      removeFinalizers: [],
      labels: new Map(),
      annotations: new Map(),
    },
    session: { sessionId: "s", backoffBaseMs: 5, backoffMaxMs: 10, finalizer: "" },
  };
}

function conditions({ resource }: KeyState | Decision): unknown[] {
  return JSON.parse(resource?.statusJson ?? "{}").conditions ?? [];
}

describe("the start of a quarantine", () => {
  it("is told by a condition with the count, the last worker and what to do", () => {
    const before = quarantined({ resource: { statusJson: '{"ready":12345678901234567890}' } });
    const after = run(before, { type: "show-quarantine", key });
    expect(after.outcome).toBe("UPDATED");
    expect(after.resource).toMatchObject({ generation: 1n, writeCount: 2n, updatedAt: LATER });
    expect(after.resource?.statusJson).toContain('{"ready":12345678901234567890,');
    expect(conditions(after)).toMatchObject([
      {
        type: "Quarantined",
        status: "True",
        reason: "WorkersDied",
        message: expect.stringMatching(/^5 workers in a row died .* Last: worker w\/1 died\..*ReleaseQuarantine/),
        lastTransitionTime: LATER.toISOString(),
      },
    ]);
    expect(after.item).toEqual({ ...before.item, isQuarantineShown: true });
  });

  it("is told once, and only when there is one", () => {
    const state = shown();
    expect(run(state, { type: "show-quarantine", key })).toMatchObject({
      outcome: "UNCHANGED",
      resource: state.resource,
    });
    const calm = { ...state, item: undefined };
    expect(run(calm, { type: "show-quarantine", key })).toMatchObject({ outcome: "UNCHANGED", item: undefined });
    const gone = { resource: undefined, item: undefined, isSessionLive: false };
    expect(run(gone, { type: "show-quarantine", key }).outcome).toBe("UNCHANGED");
  });

  it.each(['"text"', "[1]", '{"conditions":{}}'])(
    "leaves a status alone that has no place for it: %s",
    (statusJson) => {
      const before = quarantined({ resource: { statusJson } });
      const after = run(before, { type: "show-quarantine", key });
      expect(after).toMatchObject({ outcome: "UNCHANGED", resource: before.resource });
      expect(after.item?.isQuarantineShown).toBe(true);
      expect(run({ ...before, item: after.item }, { type: "release-quarantine", key }).item?.quarantinedAt).toBeNull();
    },
  );
});

describe("the end of a quarantine takes the condition back in the same write", () => {
  const ends: [string, KeyState, Command, string][] = [
    ["a release", shown(), { type: "release-quarantine", key }, "Released"],
    ["a new generation", shown(), { type: "update", input, expected: {} }, "NewGeneration"],
    ["a success", tried(shown()), report({ type: "SUCCESS" }), "PassSucceeded"],
    ["a success with a status", tried(shown()), report({ type: "SUCCESS" }, '{"ready":true}'), "PassSucceeded"],
    ["an error", tried(shown()), report({ type: "ERROR", error: "no disk" }), "PassFinished"],
    [
      "a deletion request",
      shown(quarantined({ resource: { finalizers: ["hold"] } })),
      { type: "delete", key, expected: {} },
      "NewGeneration",
    ],
    [
      "a status write that catches up",
      shown(),
      {
        type: "update-status",
        key,
        statusJson: shown().resource?.statusJson ?? null,
        observedGeneration: 1n,
        metadata: undefined,
        expected: {},
      },
      "PassSucceeded",
    ],
  ];
  it.each(ends)("%s", (_what, state, command, reason) => {
    const after = run(state, command);
    expect(after.resource?.writeCount).toBe((state.resource?.writeCount ?? 0n) + 1n);
    expect(after.answer).toBe(after.resource);
    expect(conditions(after)).toMatchObject([{ type: "Quarantined", status: "False", reason }]);
    expect(after.item?.quarantinedAt ?? null).toBeNull();
  });

  it("and writes none where none was shown", () => {
    expect(conditions(run(quarantined(), { type: "update", input, expected: {} }))).toEqual([]);
    expect(conditions(run(tried(quarantined()), report({ type: "SUCCESS" })))).toEqual([]);
  });

  it("a removal needs none", () => {
    expect(run(shown(), { type: "delete", key, expected: {} })).toMatchObject({ outcome: "REMOVED", item: undefined });
  });
});

describe("a release", () => {
  it("makes the resource due at once", () => {
    expect(run(shown(), { type: "release-quarantine", key }).item).toMatchObject({
      dueAt: LATER,
      reason: "RELEASED",
      strikes: 0,
      deaths: 0,
      failures: 0,
    });
  });

  it("is refused when there is nothing to release", () => {
    const calm = { ...shown(), item: undefined };
    expect(() => run(calm, { type: "release-quarantine", key })).toThrow(/is not quarantined; GetWork tells/);
    const gone = { resource: undefined, item: undefined, isSessionLive: false };
    expect(() => run(gone, { type: "release-quarantine", key })).toThrow(/does not exist/);
  });
});
