import { describe, expect, test } from "vitest";
import type { KindRef } from "../../../src/resource/key.js";
import { Dispatcher } from "../../../src/state-manager/work/dispatcher.js";
import type { LeaseQuery, Look, LookRequest, MarkedItem } from "../../../src/state-manager/work/lease-query.js";
import { Waiter } from "../../../src/state-manager/work/waiter.js";
import { until } from "../../support/until.js";
import { KIND, keyOf, registration } from "./open-work.js";

const NOTHING: Look = { type: "nothing", nextInMs: undefined };

function marked(name: string): MarkedItem {
  return {
    key: keyOf(name),
    resourceId: 1n,
    priority: 0,
    leaseToken: name,
    isSolo: false,
    failures: 0,
    deadline: new Date(0),
    reason: "CREATED",
    message: "",
    progress: "",
    hasCheckpoint: false,
    waitedMs: 0,
    lookedAt: 0,
    resource: undefined,
  };
}

/** A lease query whose answers the test gives; the database's own behaviour is tested in lease-query.pg.test.ts. */
class ScriptedQuery {
  readonly looks: {
    sessionId: string;
    kind: string;
    isExpected: boolean;
    answer: (look: Look) => void;
    fail: (error: Error) => void;
  }[] = [];
  concurrent = 0;
  maxConcurrent = 0;

  look({ session: { sessionId }, kind, isExpected }: LookRequest): Promise<Look> {
    this.maxConcurrent = Math.max(this.maxConcurrent, ++this.concurrent);
    return new Promise<Look>((answer, fail) => {
      this.looks.push({ sessionId, kind: kind.kind, isExpected, answer, fail });
    }).finally(() => this.concurrent--);
  }

  /** Answers the `n`-th look (from 0), once it is made. */
  async answer(n: number, look: Look): Promise<void> {
    (await until(() => this.looks[n])).answer(look);
    await settled();
  }
}

/** Lets everything run that waits for nothing but promises. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

function setUp(kinds: readonly KindRef[] = [KIND]) {
  const query = new ScriptedQuery();
  const unclaimed: string[] = [];
  const dispatchers = kinds.map(
    // The class has private members; the dispatcher calls `look` only.
    (kind) =>
      new Dispatcher(kind, query as unknown as LeaseQuery, (_, items) => {
        unclaimed.push(...items.map((item) => item.leaseToken));
      }),
  );
  const enter = (sessionId: string, shardIds: readonly string[] = [], maxItems = 10) => {
    const waiter = new Waiter({ ...registration({ kinds, shardIds }), sessionId }, maxItems);
    for (const dispatcher of dispatchers) {
      dispatcher.add(waiter);
      void waiter.result.then(
        () => dispatcher.remove(waiter),
        () => dispatcher.remove(waiter),
      );
    }
    return waiter;
  };
  return { query, unclaimed, enter, ring: (inMs = 0) => dispatchers[0]?.ring(inMs) };
}

describe("Dispatcher", () => {
  test("serves waiters in order of arrival, with one query at a time", async () => {
    const { query, enter } = setUp();
    const [a, b] = [enter("a"), enter("b")];
    await query.answer(0, { type: "leased", items: [marked("x")] });
    expect(await a.result).toHaveLength(1);
    await query.answer(1, { type: "leased", items: [marked("y")] });
    expect(await b.result).toHaveLength(1);
    expect(query.looks.map((look) => look.sessionId)).toEqual(["a", "b"]);
    expect(query.maxConcurrent).toBe(1);
  });

  test("asks once for all waiters of one shard filter when nothing is due", async () => {
    const { query, enter } = setUp();
    for (const name of ["a", "b", "c"]) enter(name);
    enter("d", ["blue"]);
    await query.answer(0, NOTHING);
    // The first look was under way when the others came: one more round for them.
    await query.answer(1, NOTHING);
    await query.answer(2, NOTHING);
    await settled();
    expect(query.looks.map((look) => look.sessionId)).toEqual(["a", "a", "d"]);
  });

  test("a ring during a look causes one more look", async () => {
    const { query, enter, ring } = setUp();
    enter("a");
    ring();
    ring();
    await query.answer(0, NOTHING);
    await query.answer(1, NOTHING);
    await settled();
    expect(query.looks).toHaveLength(2);
  });

  test("what rang is expected by one look, and by none of a session for which it was in vain last", async () => {
    const { query, enter, ring } = setUp();
    enter("a");
    await query.answer(0, NOTHING);
    for (const n of [1, 2]) {
      ring();
      await query.answer(n, NOTHING);
    }
    ring();
    await query.answer(3, { type: "leased", items: [marked("x")] });
    enter("b");
    await query.answer(4, NOTHING);
    ring();
    await query.answer(5, NOTHING);
    expect(query.looks.map(({ sessionId, isExpected }) => [sessionId, isExpected])).toEqual([
      ["a", false],
      ["a", true],
      ["a", false],
      ["a", false],
      ["b", false],
      ["b", true],
    ]);
  });

  test("more is expected behind as much as was asked for, but not behind one item", async () => {
    const { query, enter } = setUp();
    const items = Array.from({ length: 10 }, (_, n) => marked(`x${n}`));
    for (const [n, leased] of [items, items.slice(1), []].entries()) {
      enter("a");
      await query.answer(n, leased.length === 0 ? NOTHING : { type: "leased", items: leased });
    }
    expect(query.looks.map(({ isExpected }) => isExpected)).toEqual([false, true, false]);
    const alone = setUp();
    for (const n of [0, 1]) {
      alone.enter("a", [], 1);
      await alone.query.answer(n, { type: "leased", items: [marked("x")] });
    }
    expect(alone.query.looks.map(({ isExpected }) => isExpected)).toEqual([false, false]);
  });

  test("looks again when the next item is due", async () => {
    const { query, enter } = setUp();
    const waiter = enter("a");
    await query.answer(0, { type: "nothing", nextInMs: 20 });
    expect(query.looks).toHaveLength(1);
    await query.answer(1, { type: "leased", items: [marked("x")] });
    expect(await waiter.result).toHaveLength(1);
  });

  test("gives back what arrives for a waiter that is gone", async () => {
    const { query, unclaimed, enter } = setUp();
    const waiter = enter("a");
    const gone = expect(waiter.result).rejects.toThrow("client is gone");
    waiter.fail(new Error("client is gone"));
    await gone;
    await query.answer(0, { type: "leased", items: [marked("x"), marked("y")] });
    expect(unclaimed).toEqual(["x", "y"]);
  });

  test("a failed query ends the call it was made for, and the others are served", async () => {
    const { query, enter } = setUp();
    const [a, b] = [enter("a"), enter("b")];
    const failed = expect(a.result).rejects.toThrow("no database");
    (await until(() => query.looks[0])).fail(new Error("no database"));
    await failed;
    await query.answer(1, { type: "leased", items: [marked("x")] });
    expect(await b.result).toHaveLength(1);
  });

  test("of a waiter's kinds one serves it at a time, and the other looks afterwards", async () => {
    const gadget = { resourceGroup: "apps", kind: "Gadget" };
    const { query, enter } = setUp([KIND, gadget]);
    const waiter = enter("a");
    await settled();
    expect(query.looks.map((look) => look.kind)).toEqual(["Widget"]);
    await query.answer(0, NOTHING);
    await query.answer(1, { type: "leased", items: [marked("x")] });
    expect(await waiter.result).toHaveLength(1);
    expect(query.looks.map((look) => look.kind)).toEqual(["Widget", "Gadget"]);
    expect(query.maxConcurrent).toBe(1);
  });

  test("time is up only after every kind was looked at, and after the look under way", async () => {
    const gadget = { resourceGroup: "apps", kind: "Gadget" };
    const { query, enter } = setUp([KIND, gadget]);
    const waiter = enter("a");
    let ended = false;
    void waiter.result.then(() => {
      ended = true;
    });
    waiter.expire();
    await query.answer(0, NOTHING);
    expect(ended).toBe(false);
    await query.answer(1, NOTHING);
    expect(await waiter.result).toEqual([]);
  });

  test("a look that finds the session full says nothing about the others", async () => {
    const { query, enter } = setUp();
    enter("a");
    const other = enter("b");
    // The first look was under way when the other came: one more round for both.
    for (const n of [0, 1]) await query.answer(n, { type: "full" });
    await query.answer(2, { type: "leased", items: [marked("x")] });
    expect(query.looks.map((look) => look.sessionId)).toEqual(["a", "a", "b"]);
    expect(await other.result).toHaveLength(1);
  });
});
