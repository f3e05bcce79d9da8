import { describe, expect, it } from "vitest";
import { findViolations, type Recording } from "./find-violations.js";
import type { EnqueueCall, FaultWindow, ListCall, Operation, ReadCall, RunCall, WriteCall } from "./operation.js";
import type { LogEvent } from "./versions.js";

const KEY = "load/one/default/a";
const UID = "uid-a";

/** One event; what is not said follows from a life that has nothing special about it. */
function event(revision: number, number: number | undefined, fields: Partial<LogEvent> = {}): LogEvent {
  return {
    ...{ revision, type: revision === 1 ? "ADDED" : "MODIFIED", uid: UID, key: KEY, kind: "one", shard: "s0" },
    ...{ body: `body-${revision}`, labels: { tier: "web" }, annotations: {}, finalizers: [], owner: null },
    ...{ generation: revision, observed: 0, isDeleting: false, writes: revision, movedTo: null },
    ...{ spec: JSON.stringify({ write: number }), status: "null", fingerprint: `batch-${revision}` },
    ...fields,
  };
}

const shown = (revision: number, fields: Partial<LogEvent> = {}) => ({
  ...{ key: KEY, uid: UID, revision, body: `body-${revision}` },
  ...fields,
});
const call = (invokedAt: number, completedAt: number, client = 0) => ({ client, replica: 0, invokedAt, completedAt });
const refused = (code: string, reason = code) => ({ type: "refused", code, reason }) as const;
const unknown = { type: "unknown", code: "DEADLINE_EXCEEDED", reason: "" } as const;

function write(
  number: number,
  [from, to]: readonly [number, number],
  outcome: WriteCall["outcome"] | number,
  fields: Partial<WriteCall> = {},
): WriteCall {
  const done = { type: "done", isRemoved: false, isUnchanged: false } as const;
  return {
    ...{ type: "write", verb: "update", key: KEY, number, payload: JSON.stringify({ write: number }), guard: {} },
    ...call(from, to),
    outcome: typeof outcome === "number" ? { ...done, shown: shown(outcome) } : outcome,
    ...fields,
  };
}

const created = write(1, [0, 10], 1, { verb: "create" });

function read(
  [from, to]: readonly [number, number],
  revision: number | undefined,
  fields: Partial<ReadCall> = {},
): ReadCall {
  const outcome = { type: "done", shown: revision === undefined ? undefined : shown(revision) } as const;
  return { type: "read", key: KEY, consistency: "strong", ...call(from, to), outcome, ...fields };
}

function list([from, to]: readonly [number, number], revisions: readonly number[], fields: Partial<ListCall> = {}) {
  const pages = [{ ...call(from, to), shown: revisions.map((revision) => shown(revision)) }];
  const whole: ListCall = {
    ...{ type: "list", kind: "one", tier: undefined, pages, failure: undefined },
    ...call(from, to),
  };
  return { ...whole, ...fields };
}

function judge(operations: readonly Operation[], events: readonly LogEvent[], rest: Partial<Recording> = {}) {
  return findViolations({ operations, events, faults: [], reconciledKinds: new Set(), ...rest });
}

const two = [event(1, 1), event(2, 2)];

describe("writes", () => {
  it("that stand in the log as they were answered are right, also several at once and one that nobody was told of", () => {
    const operations = [
      created,
      write(2, [5, 30], 2),
      write(3, [6, 29], 3),
      write(4, [7, Number.POSITIVE_INFINITY], unknown),
    ];
    expect(judge(operations, [...two, event(3, 3), event(4, 4)])).toEqual([]);
    expect(judge(operations, [...two, event(3, 3)])).toEqual([]);
  });

  it.each<[string, readonly Operation[], readonly LogEvent[], RegExp]>([
    [
      "acknowledged and not there",
      [created, write(2, [20, 30], 2)],
      [event(1, 1)],
      /was shown .* at 2; the log has nothing/,
    ],
    ["acknowledged with another content", [created], [event(1, 1, { body: "else" })], /was shown/],
    [
      "acknowledged elsewhere",
      [created, write(2, [20, 30], 2)],
      [event(1, 1), event(2, 3), event(3, 2)],
      /2 was acknowledged as 2 and is stored as \[3\]/,
    ],
    [
      "stored otherwise than they were sent",
      [{ ...created, payload: "{}" }],
      [event(1, 1)],
      /is stored as .* instead of/,
    ],
    [
      "stored twice",
      [created, write(2, [20, 30], unknown)],
      [event(1, 1), event(2, 2), event(3, 1), event(4, 2)],
      /stored more than once/,
    ],
    ["in the log, and nobody's", [created], two, /has number 2, which nobody wrote/],
    [
      "that end a resource nobody deleted",
      [created],
      [event(1, 1), event(2, 1, { type: "DELETED", writes: 1 })],
      /was written by nobody/,
    ],
    [
      "made of a state that cannot be",
      [created, write(2, [20, 30], 2, { verb: "create" })],
      two,
      /create 2 .* followed/,
    ],
    [
      "made over another state than they expected",
      [created, write(2, [20, 30], 2, { guard: { revision: 7 } })],
      two,
      /expected .*7/,
    ],
    [
      "that raise the generation with a status",
      [created, write(2, [20, 30], 2, { verb: "status" })],
      [event(1, 1), event(2, 1, { status: '{"write":2}' })],
      /raised the generation/,
    ],
    [
      "not counted",
      [created, write(2, [20, 30], 2)],
      [event(1, 1), event(2, 2, { writes: 5 })],
      /counts 5 writes after 1/,
    ],
    [
      "that end what a finalizer holds",
      [
        created,
        write(2, [20, 30], { type: "done", shown: shown(1), isRemoved: true, isUnchanged: false }, { verb: "delete" }),
      ],
      [event(1, 1, { finalizers: ["x"] }), event(2, 1, { type: "DELETED", writes: 1, finalizers: ["x"] })],
      /has finalizers \(I5\)/,
    ],
    [
      "that add a finalizer to what is being deleted",
      [created, write(2, [20, 30], 2)],
      [event(1, 1, { isDeleting: true }), event(2, 2, { isDeleting: true, finalizers: ["x"] })],
      /got finalizer x/,
    ],
    [
      "that take a deletion back",
      [created, write(2, [20, 30], 2)],
      [event(1, 1, { isDeleting: true }), event(2, 2)],
      /took a deletion back/,
    ],
  ])("%s are violations", (_, operations, events, words) => {
    expect(judge(operations, events).join("\n")).toMatch(words);
  });

  it("refused with UNAVAILABLE are not in, and one that comes in later is a violation", () => {
    const late = [created, write(2, [20, 30], refused("UNAVAILABLE", "STORE_UNAVAILABLE")), write(3, [40, 50], 2)];
    expect(judge(late, [event(1, 1), event(2, 3)])).toEqual([]);
    expect(judge(late, [event(1, 1), event(2, 3), event(3, 2)]).join()).toMatch(
      /refused with UNAVAILABLE .* stored as 3/,
    );
  });
});

describe("real time", () => {
  it("is broken by a write behind one that began after it was answered", () => {
    const operations = [created, write(2, [20, 30], 3), write(3, [40, 50], 2)];
    expect(judge(operations, [event(1, 1), event(2, 3), event(3, 2)]).join()).toMatch(/cannot be in order/);
  });

  it("is broken across keys as well: the log is one order", () => {
    const other = { key: "load/one/default/b", uid: "uid-b" };
    const first = write(
      2,
      [40, 50],
      { type: "done", shown: shown(1, other), isRemoved: false, isUnchanged: false },
      { verb: "create", key: other.key },
    );
    const events = [event(1, 2, other), event(2, 1, { type: "ADDED", generation: 1, writes: 1 })];
    expect(judge([write(1, [0, 10], 2, { verb: "create" }), first], events).join()).toMatch(/cannot be in order/);
  });

  it.each<[string, readonly Operation[], RegExp | undefined]>([
    ["the state before, while a write is under way", [read([15, 25], 1)], undefined],
    ["the state after, while a write is under way", [read([21, 22], 2)], undefined],
    ["the state before, after the write was answered", [read([40, 50], 1)], /cannot be in order/],
    ["the state after, before the write began", [read([12, 15], 2)], /cannot be in order/],
    [
      "the state before, after another read has seen the state after",
      [read([21, 22], 2), read([23, 24], 1)],
      /cannot be in order/,
    ],
    ["what is not in the log", [read([21, 22], 9)], /the log has nothing there/],
    ["nothing, before it was created", [read([-5, 1], undefined)], undefined],
    ["nothing, though it is there", [read([40, 50], undefined)], /found nothing, though it was there all the time/],
  ])("a strong read that finds %s", (_, reads, words) => {
    const violations = judge([created, write(2, [20, 30], 2), ...reads], two).join();
    if (words === undefined) expect(violations).toBe("");
    else expect(violations).toMatch(words);
  });

  it.each<[string, ListCall, RegExp | undefined]>([
    ["has what is there", list([40, 50], [2]), undefined],
    ["has an older state than was acknowledged", list([40, 50], [1]), /cannot be in order/],
    ["leaves out what is there all the time", list([40, 50], []), /leaves out load\/one\/default\/a/],
    ["leaves out what does not exist yet", list([-5, 3], []), undefined],
    ["leaves out what the selector leaves out", list([40, 50], [], { tier: "api" }), undefined],
    ["leaves out what the selector selects", list([40, 50], [], { tier: "web" }), /leaves out/],
    ["ends early and says so", list([40, 50], [], { failure: unknown }), undefined],
    ["has a resource twice", list([40, 50], [2, 2]), /has a resource twice/],
  ])("a list that %s", (_, listed, words) => {
    const violations = judge([created, write(2, [20, 30], 2), listed], two).join();
    if (words === undefined) expect(violations).toBe("");
    else expect(violations).toMatch(words);
  });
});

describe("a refusal", () => {
  const operations = (outcome: WriteCall["outcome"], fields: Partial<WriteCall> = {}) => [
    created,
    write(2, [20, 30], 2),
    write(3, [40, 50], outcome, fields),
  ];
  it.each<[string, readonly Operation[], boolean]>([
    ["ALREADY_EXISTS for what is there", operations(refused("ALREADY_EXISTS"), { verb: "create" }), true],
    ["NOT_FOUND for what is there", operations(refused("NOT_FOUND")), false],
    [
      "a conflict with another revision",
      operations(refused("ABORTED", "REVISION_CONFLICT"), { guard: { revision: 1 } }),
      true,
    ],
    [
      "a conflict with the very revision",
      operations(refused("ABORTED", "REVISION_CONFLICT"), { guard: { revision: 2 } }),
      false,
    ],
    ["a conflict with another uid", operations(refused("ABORTED", "UID_CONFLICT"), { guard: { uid: "x" } }), true],
    [
      "a conflict with the very generation",
      operations(refused("ABORTED", "GENERATION_CONFLICT"), { guard: { generation: 2 } }),
      false,
    ],
    [
      "FINALIZER_NOT_FOUND",
      operations(refused("NOT_FOUND", "FINALIZER_NOT_FOUND"), { verb: "force", payload: "x" }),
      true,
    ],
    [
      "an owner that is not there",
      operations(refused("FAILED_PRECONDITION", "OWNER_NOT_FOUND"), { owner: "load/site/default/s" }),
      true,
    ],
    ["an owner that is there", operations(refused("FAILED_PRECONDITION", "OWNER_NOT_FOUND"), { owner: KEY }), false],
    ["INTERNAL", operations(refused("INTERNAL", "")), false],
    ["UNAVAILABLE", operations(refused("UNAVAILABLE", "STORE_UNAVAILABLE")), true],
    ["no answer", operations(unknown), true],
  ])("with %s is explained or not", (_, all, isExplained) => {
    expect(judge(all, two).length === 0).toBe(isExplained);
  });

  it("of Enqueue, and its acceptance, are judged alike", () => {
    const enqueue = (from: number, to: number, outcome: EnqueueCall["outcome"]): EnqueueCall => ({
      ...{ type: "enqueue", key: KEY, outcome },
      ...call(from, to),
    });
    expect(judge([created, enqueue(20, 30, { type: "done" })], [event(1, 1)])).toEqual([]);
    expect(judge([created, enqueue(20, 30, refused("NOT_FOUND"))], [event(1, 1)])).not.toEqual([]);
    expect(judge([created, enqueue(-20, -10, { type: "done" })], [event(1, 1)])).not.toEqual([]);
  });
});

describe("deletions", () => {
  const gone = event(3, 2, { type: "DELETED", writes: 2 });
  const removed = { type: "done", shown: shown(2), isRemoved: true, isUnchanged: false } as const;
  const silent = { type: "done", shown: undefined, isRemoved: false, isUnchanged: false } as const;
  const before = [created, write(2, [20, 30], 2)];
  const deletion = (outcome: WriteCall["outcome"], fields: Partial<WriteCall> = {}) =>
    write(3, [40, 50], outcome, { verb: "delete", ...fields });

  it("are made by whoever was told so, by whoever was not told, and by an answer without a state", () => {
    for (const outcome of [removed, silent, unknown])
      expect(judge([...before, deletion(outcome)], [...two, gone])).toEqual([]);
  });

  it("are violations when they were refused, do not happen, happen too often or to another state", () => {
    expect(judge([...before, deletion(refused("UNAVAILABLE"))], [...two, gone]).join()).toMatch(/written by nobody/);
    expect(judge([...before, deletion(removed)], two).join()).toMatch(/is gone, and it is not/);
    expect(judge([...before, deletion(silent)], two).join()).toMatch(/and the resource stayed/);
    const guarded = deletion(unknown, { guard: { revision: 1 } });
    expect(judge([...before, guarded], [...two, gone]).join()).toMatch(/written by nobody/);
    const again = [
      event(4, 4, { type: "ADDED", uid: "b", generation: 1, writes: 1 }),
      event(5, 4, { type: "DELETED", uid: "b", writes: 1 }),
    ];
    const recreated = write(
      4,
      [60, 70],
      { ...removed, isRemoved: false, shown: shown(4, { uid: "b" }) },
      { verb: "create" },
    );
    expect(judge([...before, deletion(unknown), recreated], [...two, gone, ...again]).join()).toMatch(/5 .* by nobody/);
  });

  it("of children follow the end of their owner, and only that", () => {
    const site = { key: "load/site/default/s", uid: "site", kind: "site" };
    const owned = [event(1, 1, { ...site }), event(2, 2, { type: "ADDED", owner: "site", generation: 1, writes: 1 })];
    const [ended, collected] = [3, 4].map((revision, i) =>
      event(revision, i + 1, { ...(i === 0 && site), owner: i === 0 ? null : "site", type: "DELETED", writes: 1 }),
    ) as [LogEvent, LogEvent];
    const makers = [
      write(1, [0, 10], { ...removed, isRemoved: false, shown: shown(1, site) }, { verb: "create", key: site.key }),
      write(2, [20, 30], 2, { verb: "create" }),
      write(3, [40, 50], { ...removed, shown: shown(1, site) }, { verb: "delete", key: site.key }),
    ];
    expect(judge(makers, [...owned, ended, collected])).toEqual([]);
    const early = [
      { ...collected, revision: 3 },
      { ...ended, revision: 4 },
    ];
    expect(judge(makers, [...owned, ...early]).join()).toMatch(/revision 3 .* by nobody/);
  });
});

describe("an ApplyResources", () => {
  const B = { key: "load/one/default/b", uid: "uid-b", generation: 1, writes: 1, type: "ADDED" };
  const run = (outcome: RunCall["outcome"]): RunCall => ({
    ...{ type: "run", ...call(0, 10), outcome },
    items: [KEY, B.key].map((key, i) => ({ key, number: i + 1, payload: JSON.stringify({ write: i + 1 }) })),
  });
  const result = (uid: string, revision: number) => ({ uid, revision, isUnchanged: false });
  const done = run({ type: "done", results: [result(UID, 1), result("uid-b", 2)] });
  const together = [event(1, 1), event(2, 2, { ...B, fingerprint: "batch-1" })];

  it("is in as a whole or not at all, whatever was answered", () => {
    expect(judge([done], together)).toEqual([]);
    expect(judge([run(unknown)], together)).toEqual([]);
    expect(judge([run(unknown)], [])).toEqual([]);
    expect(judge([run(refused("UNAVAILABLE"))], [])).toEqual([]);
  });

  it("is a violation in half, in two transactions, and when it was refused", () => {
    expect(judge([run(unknown)], together.slice(0, 1)).join()).toMatch(/is not atomic/);
    expect(judge([done], [event(1, 1), event(2, 2, B)]).join()).toMatch(/is not atomic: .* in 2 batches/);
    expect(judge([run(refused("UNAVAILABLE"))], together).join()).toMatch(/was refused with UNAVAILABLE/);
    expect(judge([done], together.slice(0, 1)).join()).toMatch(/stands at 2, and it does not/);
  });
});

describe("a CACHED read", () => {
  const cached = (at: readonly [number, number], revision: number | undefined, client = 0) => ({
    ...read(at, revision, { consistency: "cached" }),
    client,
  });
  const written = [created, write(2, [20, 30], 2)];
  const away: FaultWindow = { name: "Redis away", from: 0, to: 100, isRedisAway: true };

  it("may be older than the truth for those who were not told of it", () => {
    expect(judge([...written, cached([40, 50], 1, 7)], two)).toEqual([]);
  });

  it("is a violation before what its client was told of, by a write or by a read", () => {
    expect(judge([...written, cached([40, 50], 1)], two).join()).toMatch(/after its client had been told of 2/);
    const byRead = { ...read([40, 50], 2), client: 7 };
    expect(judge([...written, byRead, cached([60, 70], 1, 7)], two).join()).toMatch(/had been told of 2/);
  });

  it("may be old when Redis missed the write, for a minute, and is never from the future", () => {
    expect(judge([...written, cached([40, 50], 1)], two, { faults: [away] })).toEqual([]);
    expect(judge([...written, cached([90_000, 90_001], 1)], two, { faults: [away] }).join()).toMatch(
      /more than a minute/,
    );
    expect(judge([...written, cached([12, 15], 2)], two).join()).toMatch(/cannot be in order/);
    expect(judge([...written, cached([40, 50], undefined)], two).join()).toMatch(/found nothing/);
  });
});
