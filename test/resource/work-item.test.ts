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
    priorityShift: 0,
    dueAt: NOW,
    now: NOW,
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
/** What the death of its worker does to a leased item: the fifth time alone (work-items.ts). */
const QUARANTINED: WorkItem = {
  ...WAITING,
  dueAt: at(600_000),
  deaths: 2,
  strikes: 5,
  quarantinedAt: NOW,
  isQuarantineShown: true,
  lastError: "worker w/1 died",
};
const STATES = {
  absent: undefined,
  waiting: WAITING,
  quarantined: QUARANTINED,
  "quarantined, tried": take(QUARANTINED),
  leased: LEASED,
  "leased, wanted again": enqueue(LEASED, wish()),
  "resource gone": remove(LEASED),
  "successor waits": enqueue(remove(LEASED), wish({ resourceId: 2n })),
} as const satisfies Record<string, WorkItem | undefined>;
type State = keyof typeof STATES;

function stateOf(item: WorkItem | undefined): State {
  if (item === undefined) return "absent";
  if (item.quarantinedAt !== null) return item.lease === null ? "quarantined" : "quarantined, tried";
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
  enqueue: (item: WorkItem | undefined) =>
    enqueue(item, wish({ resourceId: item?.resourceId ?? 2n, reason: "ENQUEUED", cutBackoff: false })),
  "enqueue, new generation": (item: WorkItem | undefined) =>
    enqueue(item, wish({ resourceId: item?.resourceId ?? 2n })),
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

const FINISHED = {
  success: "absent",
  "success, still pending": "waiting",
  error: "waiting",
  "requeue after": "waiting",
} as const;

const TABLE: Record<State, Record<Event, State | "refused">> = {
  absent: {
    enqueue: "waiting",
    "enqueue, new generation": "waiting",
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
    "enqueue, new generation": "waiting",
    settle: "absent",
    remove: "absent",
    success: "refused",
    "success, still pending": "refused",
    error: "refused",
    "requeue after": "refused",
    release: "refused",
    "success that removes": "refused",
  },
  quarantined: {
    enqueue: "quarantined",
    "enqueue, new generation": "waiting",
    settle: "absent",
    remove: "absent",
    success: "refused",
    "success, still pending": "refused",
    error: "refused",
    "requeue after": "refused",
    release: "refused",
    "success that removes": "refused",
  },
  "quarantined, tried": {
    enqueue: "quarantined, tried",
    "enqueue, new generation": "leased, wanted again",
    settle: "leased",
    remove: "resource gone",
    ...FINISHED,
    release: "quarantined",
    "success that removes": "absent",
  },
  leased: {
    enqueue: "leased, wanted again",
    "enqueue, new generation": "leased, wanted again",
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
    "enqueue, new generation": "leased, wanted again",
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
    "enqueue, new generation": "successor waits",
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
    "enqueue, new generation": "successor waits",
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

  test("RELEASE over and over waits 1 s from the second time on; a change is due at once all the same", () => {
    const once = defined(finish(LEASED, RESULTS.release, true));
    const twice = defined(finish(take(once), RESULTS.release, true));
    expect(twice).toMatchObject({ failures: 0, dueAt: at(1_000), reason: "LEASE_RETURNED" });
    expect(finish(take(twice), RESULTS.release, true)).toMatchObject({ dueAt: at(1_000) });
    expect(finish(enqueue(take(twice), wish()), RESULTS.release, true)).toMatchObject({ dueAt: NOW });
    expect(finish(take(enqueue(twice, wish())), RESULTS.release, true)).toMatchObject({ dueAt: NOW });
  });

  test("REQUEUE_AFTER of a time that has passed is due at once, and in 1 s from the second time in a row on", () => {
    const overdue: PassResult = { type: "REQUEUE_AFTER", afterMs: 1 };
    const once = defined(finish(LEASED, overdue));
    expect(once).toMatchObject({ failures: 0, dueAt: at(1) });
    expect(finish(take(once), overdue)).toMatchObject({ failures: 0, dueAt: at(1_000) });
    expect(finish(take(once), { type: "REQUEUE_AFTER", afterMs: 2 })).toMatchObject({ dueAt: at(2) });
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

describe("pending since", () => {
  const since = (item: WorkItem | undefined) => item?.pendingSince;

  test("is when the item became pending, and stays while it is", () => {
    expect(since(WAITING)).toEqual(NOW);
    const again = enqueue(WAITING, wish({ now: at(1_000), dueAt: at(1_000) }));
    expect(since(again)).toEqual(NOW);
    expect(since(finish(take(again), RESULTS.error, true))).toEqual(NOW);
    expect(since(enqueue(again, wish({ now: at(2_000), isPending: false })))).toBeNull();
  });

  test("is null while nothing is pending", () => {
    const calm = enqueue(undefined, wish({ isPending: false }));
    expect(since(calm)).toBeNull();
    expect(since(enqueue(calm, wish({ now: at(1_000) })))).toEqual(at(1_000));
    expect([settle(LEASED), remove(LEASED), finish(LEASED, RESULTS["requeue after"])].map(since)).toEqual([
      null,
      null,
      null,
    ]);
  });

  test("a successor begins anew", () => {
    expect(since(enqueue(remove(LEASED), wish({ resourceId: 2n, now: at(5) })))).toEqual(at(5));
  });
});

describe("strikes and quarantine", () => {
  const struck: WorkItem = { ...WAITING, deaths: 4, strikes: 3, lastError: "worker w/1 died" };
  const CLEAN = { deaths: 0, strikes: 0, quarantinedAt: null, isQuarantineShown: false };

  test.each(["CREATED", "SPEC_CHANGED", "DELETION_REQUESTED", "RELEASED"] as const)(
    "%s forgets strikes and ends the quarantine: due at once",
    (reason) => {
      expect(enqueue(struck, wish({ reason }))).toMatchObject(CLEAN);
      expect(enqueue(QUARANTINED, wish({ reason }))).toMatchObject({ ...CLEAN, dueAt: NOW });
    },
  );

  test.each(["ENQUEUED", "CHILD_CHANGED", "RESYNC"] as const)("%s keeps them", (reason) => {
    expect(enqueue(struck, wish({ reason }))).toMatchObject({ deaths: 4, strikes: 3, dueAt: NOW });
    expect(enqueue(QUARANTINED, wish({ reason }))).toMatchObject({
      wanted: QUARANTINED.wanted + 1n,
      dueAt: at(600_000),
      strikes: 5,
      quarantinedAt: NOW,
      isQuarantineShown: true,
    });
  });

  test.each(["STATUS_CHANGED", "METADATA_CHANGED"] as const)(
    "%s may have lost the condition: it is shown again",
    (reason) => {
      const written = enqueue(QUARANTINED, wish({ reason, cutBackoff: false }));
      expect(written).toMatchObject({ quarantinedAt: NOW, isQuarantineShown: false, dueAt: at(600_000) });
    },
  );

  test.each(["success", "error", "requeue after"] as const)(
    "a worker that reports %s is alive: all is forgotten",
    (of) => {
      expect(finish(take(struck), RESULTS[of], true)).toMatchObject(CLEAN);
      expect(finish(take(QUARANTINED), RESULTS[of], true)).toMatchObject(CLEAN);
    },
  );

  test("RELEASE tried nothing: all is kept", () => {
    expect(finish(take(struck), RESULTS.release, true)).toMatchObject({ deaths: 4, strikes: 3 });
    expect(finish(take(QUARANTINED), RESULTS.release, true)).toMatchObject({ strikes: 5, quarantinedAt: NOW });
  });

  test("a successor is innocent", () => {
    expect(enqueue(remove(take(QUARANTINED)), wish({ resourceId: 2n, reason: "ENQUEUED" }))).toMatchObject(CLEAN);
  });
});

describe("progress and checkpoint", () => {
  const advanced: WorkItem = { ...LEASED, progress: "3 of 7", hasCheckpoint: true };
  const kept = { progress: "3 of 7", hasCheckpoint: true };
  const cleared = { progress: "", hasCheckpoint: false };

  test.each(["error", "requeue after", "release"] as const)("are kept over %s", (result) => {
    expect(finish(advanced, RESULTS[result], true)).toMatchObject(kept);
  });

  test("are kept over a new generation, which the reconciler judges", () => {
    expect(enqueue(advanced, wish())).toMatchObject(kept);
  });

  test("are cleared by SUCCESS, also one that another pass follows", () => {
    expect(finish(enqueue(advanced, wish()), RESULTS.success, true)).toMatchObject(cleared);
    expect(finish(advanced, RESULTS.success, true)).toMatchObject(cleared);
  });

  test("are cleared by the removal, so that a successor has none", () => {
    expect(remove(advanced)).toMatchObject(cleared);
    expect(enqueue(advanced, wish({ resourceId: 2n }))).toMatchObject(cleared);
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
