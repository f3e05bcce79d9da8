import { describe, expect, it } from "vitest";
import type { Command } from "../../src/resource/command.js";
import { type Decision, decide, type KeyState } from "../../src/resource/decide.js";
import { hasReason } from "../../src/resource/errors.js";
import type { Resource } from "../../src/resource/resource.js";
import { type PassReport, PRIORITY, type WorkItem } from "../../src/resource/work.js";
import { thing, thingKey } from "../support/things.js";

const now = new Date("2026-01-02T03:04:05.678Z");
const context = { now, newId: () => 7n, newUid: () => "uid-7", random: () => 0, findOwner: () => undefined };
const nothing: KeyState = { resource: undefined, item: undefined, isSessionLive: false };
const key = thingKey("a");

function run(state: KeyState, command: Command): Decision {
  return decide(state, command, context);
}

/** The state a decision leaves, as the next command meets it. */
function then(decision: Decision, isSessionLive = true): KeyState {
  return { resource: decision.resource, item: decision.item, isSessionLive };
}

function created(changes: Partial<Resource> = {}): KeyState {
  const { resource, item } = run(nothing, { type: "create", input: thing("a") });
  if (resource === undefined) throw new Error("create gives a resource");
  return { resource: { ...resource, ...changes }, item, isSessionLive: true };
}

function leased(state: KeyState, wanted = state.item?.wanted ?? 1n): KeyState {
  if (state.item === undefined || state.resource === undefined) throw new Error("nothing to lease");
  const lease = {
    token: "t1",
    sessionId: "s1",
    resourceId: state.resource.id,
    wanted,
    leasedAt: now,
    deadline: new Date(now.getTime() + 1000),
  };
  return { ...state, item: { ...state.item, dueAt: null, lease } };
}

function report(changes: Partial<PassReport> = {}, session: { finalizer?: string; sessionId?: string } = {}): Command {
  return {
    type: "report",
    report: {
      key,
      leaseToken: "t1",
      result: { type: "SUCCESS" },
      observedGeneration: 1n,
      statusJson: undefined,
      statusMode: "REPLACE",
      conditions: [],
      addFinalizers: [],
      removeFinalizers: [],
      labels: new Map(),
      annotations: new Map(),
      ...changes,
    },
    session: { sessionId: "s1", backoffBaseMs: 5, backoffMaxMs: 1000, finalizer: "", ...session },
  };
}

describe("create", () => {
  it("starts at generation 1, observed 0, due now", () => {
    const { outcome, resource, item } = run(nothing, { type: "create", input: thing("a", { specJson: "{}" }) });
    expect(outcome).toBe("CREATED");
    expect(resource).toMatchObject({ id: 7n, uid: "uid-7", generation: 1n, observedGeneration: 0n, writeCount: 1n });
    expect(item).toMatchObject({ reason: "CREATED", dueAt: now, priority: PRIORITY.change, isPending: true });
  });

  it.each(["resourceGroup", "kind", "namespace", "name"] as const)("refuses . and .. as %s", (part) => {
    for (const dots of [".", ".."]) {
      const input = thing("a", { key: { ...key, [part]: dots } });
      const field = part === "resourceGroup" ? "resource_group" : part;
      expect(() => run(nothing, { type: "create", input })).toThrowError(`${field} must not be "${dots}": clients`);
      expect(() => run(nothing, { type: "apply", input })).toThrowError(`${field} must not be "${dots}": clients`);
      // Older servers stored them.
      const { resource } = created();
      if (resource === undefined) throw new Error("create gives a resource");
      const stored = { ...nothing, resource: { ...resource, key: input.key } };
      expect(run(stored, { type: "apply", input: { ...input, specJson: "1" } }).outcome).toBe("UPDATED");
      expect(run(stored, { type: "delete", key: input.key, expected: {} }).outcome).toBe("REMOVED");
    }
  });

  it("refuses a taken key", () => {
    expect(() => run(created(), { type: "create", input: thing("a") })).toThrowError(/test\/thing default\/a exists/);
  });
});

describe("writes of the desired state", () => {
  it("raise the generation and keep status, observed generation and the deletion mark", () => {
    const before = created({
      statusJson: '{"x":1}',
      observedGeneration: 1n,
      deletionRequestedAt: now,
      finalizers: ["f"],
    });
    const { resource } = run(before, { type: "update", input: thing("a", { finalizers: ["f"] }), expected: {} });
    expect(resource).toMatchObject({
      generation: 2n,
      statusJson: '{"x":1}',
      observedGeneration: 1n,
      deletionRequestedAt: now,
    });
  });

  it("of what is being deleted remove it when they drop the last finalizer (I5)", () => {
    const before = created({ deletionRequestedAt: now, finalizers: ["f"] });
    const { outcome, resource, item } = run(before, { type: "update", input: thing("a"), expected: {} });
    expect([outcome, resource, item]).toEqual(["REMOVED", undefined, undefined]);
  });

  it("are checked in the order uid, shard, revision, generation", () => {
    const before = created({ revision: 5n });
    const reasonOf = (expected: object, shardId = "s1") => {
      try {
        run(before, { type: "update", input: thing("a", { shardId }), expected });
        return "accepted";
      } catch (error) {
        return hasReason(error, "UID_CONFLICT", "SHARD_CONFLICT", "REVISION_CONFLICT", "GENERATION_CONFLICT")
          ? error.reason
          : String(error);
      }
    };
    expect(reasonOf({ uid: "other", revision: 1n })).toBe("UID_CONFLICT");
    expect(reasonOf({ revision: 5n }, "s2")).toBe("SHARD_CONFLICT");
    expect(reasonOf({ revision: 4n, generation: 9n })).toBe("REVISION_CONFLICT");
    expect(reasonOf({ revision: 5n, generation: 9n })).toBe("GENERATION_CONFLICT");
    expect(reasonOf({ revision: 5n, generation: 1n, uid: "uid-7" })).toBe("accepted");
  });

  it("by apply leave finalizers of others alone", () => {
    const before = created({ finalizers: ["reconciler"] });
    expect(run(before, { type: "apply", input: thing("a") }).outcome).toBe("UNCHANGED");
    const { resource } = run(before, { type: "apply", input: thing("a", { specJson: "1" }) });
    expect(resource?.finalizers).toEqual(["reconciler"]);
  });

  it("by apply write nothing when only the order of keys, the white space or the spelling of numbers differs", () => {
    const specJson = '{"html":"<h1>","port":8080,"big":9007199254740993}';
    const before = created({ specJson });
    const apply = (text: string) => run(before, { type: "apply", input: thing("a", { specJson: text }) });
    const { outcome, resource } = apply('{ "port": 8.08e3, "big": 9007199254740993, "html": "\\u003ch1>" }');
    expect([outcome, resource]).toEqual(["UNCHANGED", before.resource]);
    expect(apply('{"port":8080,"html":"<h1>","big":9007199254740992}')).toMatchObject({
      outcome: "UPDATED",
      resource: { generation: 2n, specJson: '{"port":8080,"html":"<h1>","big":9007199254740992}' },
    });
  });
});

describe("delete", () => {
  it("removes at once without finalizers", () => {
    expect(run(created(), { type: "delete", key, expected: {} })).toMatchObject({
      outcome: "REMOVED",
      resource: undefined,
    });
  });

  it("marks once with finalizers, as a new generation", () => {
    const first = run(created({ finalizers: ["f"] }), { type: "delete", key, expected: {} });
    expect(first.resource).toMatchObject({ deletionRequestedAt: now, generation: 2n });
    expect(first.item?.reason).toBe("DELETION_REQUESTED");
    const again = run(then(first), { type: "delete", key, expected: {} });
    expect(again.resource).toBe(first.resource);
  });
});

describe("a report", () => {
  it("with the current lease stores everything and settles the item", () => {
    const { outcome, resource, item } = run(
      leased(created()),
      report({ statusJson: '{"ok":true}', labels: new Map([["l", "v"]]) }),
    );
    expect(outcome).toBe("UPDATED");
    expect(resource).toMatchObject({ statusJson: '{"ok":true}', observedGeneration: 1n, generation: 1n });
    expect(resource?.labels.get("l")).toBe("v");
    expect(item).toBeUndefined();
  });

  it("changes nothing with another token, another session, an expired session or past the deadline (I8)", () => {
    const state = leased(created());
    const late = { ...context, now: new Date(now.getTime() + 1000) };
    const attempts: Decision[] = [
      run(state, report({ leaseToken: "t2" })),
      run(state, report({}, { sessionId: "s2" })),
      run({ ...state, isSessionLive: false }, report()),
      decide(state, report(), late),
      run(created(), report()),
    ];
    for (const { outcome, item } of attempts) {
      expect(outcome).toBe("STALE");
      expect(item === state.item || item?.lease === null).toBe(true);
    }
    expect(attempts[0]?.resource).toBe(state.resource);
  });

  it("after a change during the pass leaves exactly one more pass due (I7)", () => {
    const changed = run(leased(created()), { type: "update", input: thing("a", { specJson: "2" }), expected: {} });
    expect(changed.item?.lease).not.toBeNull();
    const after = run(then(changed), report());
    expect(after.item).toMatchObject({ lease: null, dueAt: now, reason: "SPEC_CHANGED" });
    expect(after.resource).toMatchObject({ generation: 2n, observedGeneration: 1n });
  });

  it("never writes to a successor of the same key, and ends the lease", () => {
    const gone = run(leased(created()), { type: "delete", key, expected: {} });
    expect(gone.item?.lease).not.toBeNull();
    const successor = decide(then(gone), { type: "create", input: thing("a") }, { ...context, newId: () => 8n });
    expect(successor.item).toMatchObject({ resourceId: 8n, dueAt: now });
    const after = run(then(successor), report({ statusJson: '"of the dead"' }));
    expect(after.resource).toBe(successor.resource);
    expect(after.item).toMatchObject({ lease: null, dueAt: now, resourceId: 8n });
  });

  it("of success over a deleting resource takes the reconciler's own finalizer and removes it (I5)", () => {
    const deleting = created({ finalizers: ["own"], deletionRequestedAt: now, generation: 2n });
    const { outcome, item } = run(leased(deleting), report({ observedGeneration: 2n }, { finalizer: "own" }));
    expect([outcome, item]).toEqual(["REMOVED", undefined]);
    const kept = run(
      leased(created({ finalizers: ["own", "other"], deletionRequestedAt: now, generation: 2n })),
      report({ observedGeneration: 2n }, { finalizer: "own" }),
    );
    expect(kept.resource?.finalizers).toEqual(["other"]);
    expect(kept.item).toBeUndefined();
  });

  it("says of its conditions which generation they tell of, also when it finished none", () => {
    const failing = report({
      result: { type: "ERROR", error: "no disk" },
      observedGeneration: undefined,
      conditions: [{ type: "Ready", status: "False", reason: "NoDisk", message: "" }],
    });
    const stamped = (state: KeyState) => JSON.parse(run(state, failing).resource?.statusJson ?? "").conditions[0];
    expect(stamped(leased(created({ generation: 2n, observedGeneration: 1n })))).toMatchObject({
      observedGeneration: 2,
    });
    // Its spec changed during the pass, which may have seen either.
    const changed = created({ generation: 2n, observedGeneration: 1n });
    expect(stamped(leased(changed, 0n))).toMatchObject({ observedGeneration: 1 });
  });

  it("of an error keeps the hold, counts and waits for the back-off", () => {
    const state = leased(created({ finalizers: ["own"], deletionRequestedAt: now, generation: 2n }));
    const { resource, item } = run(
      state,
      report({ result: { type: "ERROR", error: "boom" }, observedGeneration: undefined }, { finalizer: "own" }),
    );
    expect(resource?.finalizers).toEqual(["own"]);
    expect(item).toMatchObject({
      failures: 1,
      lastError: "boom",
      dueAt: new Date(now.getTime() + 5),
      priority: PRIORITY.retry,
    });
  });

  it("whose status says the same in another order writes nothing", () => {
    const before = leased(created({ statusJson: '{"a":{"x":1,"y":2},"b":"é"}', observedGeneration: 1n }));
    const { outcome, resource } = run(before, report({ statusJson: '{"b":"\\u00e9","a":{"y":2,"x":1}}' }));
    expect([outcome, resource]).toEqual(["UNCHANGED", before.resource]);
  });

  it("that changes nothing writes nothing", () => {
    const state = leased(created({ observedGeneration: 1n, statusJson: '{"a":1}' }));
    const { outcome, resource } = run(state, report({ statusJson: '{ "a": 1 }' }));
    expect(outcome).toBe("UNCHANGED");
    expect(resource).toBe(state.resource);
  });

  it("refuses an observed generation above the stored one (I6)", () => {
    expect(() => run(leased(created()), report({ observedGeneration: 2n }))).toThrowError(/must not be above/);
  });
});

describe("finalizers of what is being deleted", () => {
  const deleting = () => created({ finalizers: ["a", "b"], deletionRequestedAt: now, generation: 2n });
  const writes: readonly [string, (finalizers: string[]) => Command][] = [
    ["update", (finalizers) => ({ type: "update", input: thing("a", { finalizers }), expected: {} })],
    ["apply", (finalizers) => ({ type: "apply", input: thing("a", { finalizers }) })],
    [
      "update-status",
      (finalizers) => ({
        type: "update-status",
        key,
        statusJson: null,
        observedGeneration: undefined,
        metadata: { shardId: "s1", labels: new Map(), annotations: new Map(), finalizers },
        expected: {},
      }),
    ],
  ];

  it.each(writes)("%s can remove, reorder and repeat them", (_, write) => {
    expect(run(deleting(), write(["b", "a"])).resource?.finalizers).toEqual(["b", "a"]);
    expect(run(deleting(), write(["a", "b", "b"])).resource?.finalizers).toEqual(["a", "b", "b"]);
    expect(run(deleting(), write(["b"])).resource?.finalizers).toEqual(["b"]);
  });

  it.each(writes)("%s cannot add one", (_, write) => {
    const refusal =
      /^finalizers must not add "c" while test\/thing default\/a is being deleted: finalizers can only be removed/;
    expect(() => run(deleting(), write(["a", "b", "c"]))).toThrowError(refusal);
    expect(() => run(deleting(), write(["c"]))).toThrowError(refusal);
  });

  it("a report can remove one and not add one; one it names that is there is no addition", () => {
    const state = leased(deleting());
    const pass = (changes: Partial<PassReport>) => run(state, report({ observedGeneration: 1n, ...changes }));
    expect(() => pass({ addFinalizers: ["c"] })).toThrowError(/^add_finalizers must not add "c" while/);
    expect(pass({ addFinalizers: ["a"], removeFinalizers: ["b"] }).resource?.finalizers).toEqual(["a"]);
  });
});

describe("a hold", () => {
  const hold: Command = { type: "hold", key, leaseToken: "t1", sessionId: "s1", finalizer: "own" };

  it("adds the finalizer once and asks for no pass", () => {
    const state = leased(created());
    const first = run(state, hold);
    expect(first.resource?.finalizers).toEqual(["own"]);
    expect(first.item).toBe(state.item);
    expect(run(then(first), hold).outcome).toBe("UNCHANGED");
  });

  it("adds nothing to what is being deleted", () => {
    const state = leased(created({ finalizers: ["other"], deletionRequestedAt: now }));
    expect(run(state, hold).resource).toBe(state.resource);
  });
});

describe("a status write without a lease", () => {
  const write = (observedGeneration: bigint) =>
    ({
      type: "update-status",
      key,
      statusJson: '"s"',
      observedGeneration,
      metadata: undefined,
      expected: {},
    }) as const satisfies Command;

  it("settles the item when it catches up, and asks for a pass when it does not", () => {
    expect(run(created(), write(1n)).item).toBeUndefined();
    const behind: WorkItem | undefined = run(created(), write(0n)).item;
    expect(behind).toMatchObject({ reason: "STATUS_CHANGED", dueAt: now });
  });

  it("that adds a finalizer while it catches up settles the item: the first pass of an operator without leases", () => {
    const metadata = { shardId: "s1", labels: new Map([["l", "v"]]), annotations: new Map(), finalizers: ["operator"] };
    const first = run(created(), { ...write(1n), metadata });
    expect(first.item).toBeUndefined();
    expect(first.resource).toMatchObject({ finalizers: ["operator"], observedGeneration: 1n });
    // Its holder has not seen the finalizer: one more pass, and the resource is not pending.
    const { item } = run(leased(created()), { ...write(1n), metadata });
    expect(item).toMatchObject({ isPending: false, dueAt: now, reason: "METADATA_CHANGED", wanted: 2n });
    expect(item?.lease?.token).toBe("t1");
  });

  it("that catches up does not settle what is being deleted: the finalizer's owner still has to clean up", () => {
    const deleting = run(created({ finalizers: ["f"] }), { type: "delete", key, expected: {} });
    const { item } = run(then(deleting), write(2n));
    expect(item).toMatchObject({ dueAt: now, isPending: false });
  });

  it("during a lease leaves the lease alone and one more pass or none", () => {
    const { item } = run(leased(created()), write(1n));
    expect(item).toMatchObject({ isPending: false, dueAt: null });
    expect(item?.lease).not.toBeNull();
  });
});
