import { describe, expect, test } from "vitest";
import type { PassResult, WorkItem } from "../../src/resource/work.js";
import { PRIORITY } from "../../src/resource/work.js";
import type { EnqueueRequest } from "../../src/resource/work-item.js";
import { enqueue, finishPass, remove, settle } from "../../src/resource/work-item.js";

const KEY = { resourceGroup: "apps", kind: "Widget", namespace: "default", name: "a" };
const NOW = new Date("2026-01-01T00:00:00Z");
const at = (ms: number) => new Date(NOW.getTime() + ms);
const BACKOFF_MS = 640;

function wish(over: Partial<EnqueueRequest> = {}): EnqueueRequest {
  return {
    key: KEY,
    resourceId: 1n,
    shardId: "s",
    isPending: true,
    reason: "SPEC_CHANGED",
    message: "",
    priority: PRIORITY.change,
    dueAt: NOW,
    cutBackoff: true,
    ...over,
  };
}

/** What the lease statement does to an unleased item. */
function take(item: WorkItem): WorkItem {
  if (item.lease !== null || item.resourceId === null) throw new Error("not leasable");
  const { wanted, resourceId } = item;
  const lease = { token: "t", sessionId: "s", resourceId, wanted, leasedAt: NOW, deadline: at(300_000) };
  return { ...item, dueAt: null, lease };
}

function defined<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("expected a work item");
  return value;
}

const WAITING = enqueue(undefined, wish());
const LEASED = take(WAITING);
const STATES = {
  absent: undefined,
  waiting: WAITING,
  leased: LEASED,
  "leased, wanted again": enqueue(LEASED, wish()),
  "resource gone": remove(LEASED),
  "successor waits": enqueue(remove(LEASED), wish({ resourceId: 2n })),
} as const satisfies Record<string, WorkItem | undefined>;
type State = keyof typeof STATES;

function stateOf(item: WorkItem | undefined): State {
  if (item === undefined) return "absent";
  if (item.lease === null) return "waiting";
  if (item.resourceId === null) return "resource gone";
  if (item.resourceId !== item.lease.resourceId) return "successor waits";
  return item.dueAt === null ? "leased" : "leased, wanted again";
}

const RESULTS = {
  success: { type: "SUCCESS" },
  error: { type: "ERROR", error: "no disk" },
  "requeue after": { type: "REQUEUE_AFTER", afterMs: 60_000 },
  release: { type: "RELEASE" },
} as const satisfies Record<string, PassResult>;

const finish = (item: WorkItem | undefined, result: PassResult, isPendingAfter = false, removed = false) =>
  finishPass(defined(item), { result, now: NOW, isPendingAfter, removed, backoffMs: BACKOFF_MS });

/** Each event on one state; a report cannot meet an item without a lease: the token check stands before it. */
const EVENTS = {
  enqueue: (item: WorkItem | undefined) => enqueue(item, wish({ resourceId: item?.resourceId ?? 2n })),
  settle,
  remove,
  success: (item: WorkItem | undefined) => finish(item, RESULTS.success),
  "success, still pending": (item: WorkItem | undefined) => finish(item, RESULTS.success, true),
  error: (item: WorkItem | undefined) => finish(item, RESULTS.error, true),
  "requeue after": (item: WorkItem | undefined) => finish(item, RESULTS["requeue after"]),
  release: (item: WorkItem | undefined) => finish(item, RESULTS.release, true),
  "success that removes": (item: WorkItem | undefined) => finish(item, RESULTS.success, false, true),
} as const;
type Event = keyof typeof EVENTS;

const TABLE: Record<State, Record<Event, State | "refused">> = {
  absent: {
    enqueue: "waiting",
    settle: "absent",
    remove: "absent",
    success: "refused",
    "success, still pending": "refused",
    error: "refused",
    "requeue after": "refused",
    release: "refused",
    "success that removes": "refused",
  },
  waiting: {
    enqueue: "waiting",
    settle: "absent",
    remove: "absent",
    success: "refused",
    "success, still pending": "refused",
    error: "refused",
    "requeue after": "refused",
    release: "refused",
    "success that removes": "refused",
  },
  leased: {
    enqueue: "leased, wanted again",
    settle: "leased",
    remove: "resource gone",
    success: "absent",
    "success, still pending": "waiting",
    error: "waiting",
    "requeue after": "waiting",
    release: "waiting",
    "success that removes": "absent",
  },
  "leased, wanted again": {
    enqueue: "leased, wanted again",
    settle: "leased, wanted again",
    remove: "resource gone",
    success: "waiting",
    "success, still pending": "waiting",
    error: "waiting",
    "requeue after": "waiting",
    release: "waiting",
    "success that removes": "absent",
  },
  "resource gone": {
    enqueue: "successor waits",
    settle: "resource gone",
    remove: "resource gone",
    success: "absent",
    "success, still pending": "absent",
    error: "absent",
    "requeue after": "absent",
    release: "absent",
    "success that removes": "absent",
  },
  "successor waits": {
    enqueue: "successor waits",
    settle: "successor waits",
    remove: "resource gone",
    success: "waiting",
    "success, still pending": "waiting",
    error: "waiting",
    "requeue after": "waiting",
    release: "waiting",
    "success that removes": "waiting",
  },
};

describe("a work item, every state and event", () => {
  const cases = (Object.keys(TABLE) as State[]).flatMap((state) =>
    (Object.keys(EVENTS) as Event[]).map((event) => ({ state, event, next: TABLE[state][event] })),
  );
  test.each(cases)("$state × $event → $next", ({ state, event, next }) => {
    if (next === "refused") expect(() => EVENTS[event](STATES[state])).toThrow();
    else expect(stateOf(EVENTS[event](STATES[state]))).toBe(next);
  });

  test.each(Object.keys(STATES) as State[])("the state named %s is the state it names", (state) => {
    expect(stateOf(STATES[state])).toBe(state);
  });
});

describe("enqueue", () => {
  test("keeps the earliest due time and the most urgent priority", () => {
    const waiting = enqueue(undefined, wish({ dueAt: at(100), priority: PRIORITY.retry }));
    const sooner = enqueue(waiting, wish({ dueAt: at(50), priority: PRIORITY.sweep }));
    expect([sooner.dueAt, sooner.priority, sooner.wanted]).toEqual([at(50), PRIORITY.retry, 2n]);
    const later = enqueue(sooner, wish({ dueAt: at(70), priority: PRIORITY.change }));
    expect([later.dueAt, later.priority]).toEqual([at(50), PRIORITY.change]);
  });

  test("a pass in progress does not lend its priority to the next one", () => {
    expect(enqueue(LEASED, wish({ priority: PRIORITY.sweep })).priority).toBe(PRIORITY.sweep);
  });

  test("a new desired state cuts the back-off short and forgets failures, but not the last error", () => {
    const failed = defined(finish(LEASED, RESULTS.error, true));
    expect(failed).toMatchObject({ failures: 1, lastError: "no disk", dueAt: at(BACKOFF_MS), reason: "RETRY" });
    expect(enqueue(failed, wish())).toMatchObject({ failures: 0, lastError: "no disk", dueAt: NOW });
    expect(enqueue(failed, wish({ cutBackoff: false }))).toMatchObject({ failures: 1, dueAt: NOW });
  });

  test("a successor starts without the failures of its predecessor", () => {
    const failed = take(defined(finish(LEASED, RESULTS.error, true)));
    const successor = enqueue(remove(failed), wish({ resourceId: 2n, cutBackoff: false }));
    expect(successor).toMatchObject({ failures: 0, lastError: "", resourceId: 2n, dueAt: NOW });
  });
});

describe("finishPass", () => {
  test("an error waits for the back-off and counts", () => {
    const twice = finish(take(defined(finish(LEASED, RESULTS.error, true))), RESULTS.error, true);
    expect(twice).toMatchObject({ failures: 2, dueAt: at(BACKOFF_MS), priority: PRIORITY.retry, message: "no disk" });
  });

  test("REQUEUE_AFTER ends the row of failures, keeps the last error and comes back in time", () => {
    const failed = take(defined(finish(LEASED, RESULTS.error, true)));
    const after = finish(failed, RESULTS["requeue after"]);
    expect(after).toMatchObject({ failures: 0, lastError: "no disk", dueAt: at(60_000), reason: "REQUEUE_AFTER" });
  });

  test("RELEASE is due at once and counts nothing", () => {
    const failed = take(defined(finish(LEASED, RESULTS.error, true)));
    expect(finish(failed, RESULTS.release, true)).toMatchObject({ failures: 1, dueAt: NOW, reason: "LEASE_RETURNED" });
  });

  test("SUCCESS below the stored generation with nothing newer wanted waits for the back-off instead of spinning", () => {
    expect(finish(LEASED, RESULTS.success, true)).toMatchObject({
      failures: 1,
      dueAt: at(BACKOFF_MS),
      isPending: true,
    });
  });

  test("SUCCESS on what has been changed during the pass is no failure", () => {
    const changed = enqueue(LEASED, wish({ reason: "SPEC_CHANGED" }));
    expect(finish(changed, RESULTS.success, true)).toMatchObject({
      failures: 0,
      lastError: "",
      dueAt: NOW,
      message: "",
    });
  });

  test.each(Object.values(RESULTS))("I7: a change during the lease makes $type due at once", (result) => {
    const changed = enqueue(LEASED, wish({ reason: "METADATA_CHANGED", cutBackoff: false }));
    expect(finish(changed, result)).toMatchObject({ dueAt: NOW, reason: "METADATA_CHANGED", lease: null });
  });

  test("I8: the report of an earlier life leaves the successor's item as it is", () => {
    const item = STATES["successor waits"];
    expect(finish(item, RESULTS.error)).toEqual({ ...item, lease: null });
  });
});

describe("random sequences", () => {
  test("I7: every change is followed by exactly one pass that began after it", () => {
    const random = xorshift(20_260_101);
    const pick = <T>(values: readonly T[]): T => defined(values[Math.floor(random() * values.length)]);
    for (let run = 0; run < 300; run++) {
      let item: WorkItem | undefined;
      let life: bigint | undefined;
      let lives = 0n;
      let isChangeUnseen = false;
      for (let step = 0; step < 60; step++) {
        const event = pick([
          "change",
          "change",
          "take",
          "take",
          "success",
          "error",
          "release",
          "remove",
          "settle",
        ] as const);
        const before = item;
        switch (event) {
          case "change":
            if (life === undefined) life = ++lives;
            item = enqueue(item, wish({ resourceId: life, cutBackoff: random() < 0.5 }));
            isChangeUnseen = true;
            break;
          case "take":
            if (item?.dueAt == null || item.lease !== null) break;
            item = take(item);
            isChangeUnseen = false;
            break;
          case "remove":
            life = undefined;
            item = remove(item);
            isChangeUnseen = false;
            break;
          case "settle":
            if (item?.lease == null) isChangeUnseen = false;
            item = settle(item);
            break;
          default:
            if (item?.lease == null) break;
            item = finish(item, RESULTS[event], event !== "success");
            expect(item?.lease ?? null).toBeNull();
            if (!isChangeUnseen && event === "success") expect(item).toBeUndefined();
        }
        if (isChangeUnseen) expect(item?.dueAt).toEqual(NOW);
        if (item !== undefined) {
          expect(item.dueAt !== null || item.lease !== null).toBe(true);
          expect(item.resourceId).toBe(life ?? null);
          if (before !== undefined) expect(item.wanted).toBeGreaterThanOrEqual(before.wanted);
          if (item.lease !== null && before?.lease) expect(item.lease).toBe(before.lease);
        }
      }
    }
  });
});

/** Seeded, so that a failure repeats. */
function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
