import { describe, expect, test } from "vitest";
import type { Priority } from "../../../src/resource/work.js";
import type { MarkedItem } from "../../../src/state-manager/work/lease-query.js";
import { Turns } from "../../../src/state-manager/work/turns.js";
import { KIND } from "./open-work.js";

const SESSION = {};

function marked(priority: Priority, over: { namespace?: string; isSolo?: boolean } = {}): MarkedItem {
  return {
    key: { ...KIND, namespace: over.namespace ?? "default", name: "a" },
    resourceId: 1n,
    priority,
    leaseToken: "t",
    isSolo: over.isSolo ?? false,
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

/** Leases by the plan, as if every class had items without end. */
function lease(turns: Turns, ready: readonly Priority[], items: number): Priority[] {
  const leased = turns
    .plan(ready, items)
    .flatMap(({ priority, taken }) => Array<Priority>(taken).fill(priority))
    .slice(0, items);
  turns.served(
    SESSION,
    ready,
    leased.map((priority) => marked(priority)),
  );
  return leased;
}

describe("Turns", () => {
  test("goes on after the namespace that each class served last", () => {
    const turns = new Turns();
    expect(turns.plan([0, 2], 1).map((step) => step.after)).toEqual(["", ""]);
    turns.served(
      SESSION,
      [0, 2],
      [marked(0, { namespace: "a" }), marked(0, { namespace: "b" }), marked(2, { namespace: "z" })],
    );
    expect(turns.plan([0, 2], 1).map((step) => step.after)).toEqual(["b", "z"]);
  });

  test("serves the most urgent class first and pays debts before it, without taking an item twice", () => {
    const turns = new Turns();
    expect(lease(turns, [0, 1], 9)).toEqual(Array(9).fill(0));
    const [debt, urgent, rest] = turns.plan([0, 1], 4);
    expect(debt).toMatchObject({ priority: 1, skipped: 0, taken: 1 });
    expect(urgent).toMatchObject({ priority: 0, skipped: 0 });
    expect(rest).toMatchObject({ priority: 1, skipped: 1 });
  });

  test.each([1, 3, 50, 1000])("every class gets a tenth of 1,000 leases when taken by %i", (items) => {
    const turns = new Turns();
    const rounds = Math.max(2, 1000 / items);
    const leased = Array.from({ length: rounds }, () => lease(turns, [-1, 0, 1, 2], items)).flat();
    // The first answer pays no debts: nobody has waited yet.
    const counted = items === 1000 ? leased.slice(items) : leased.slice(0, 1000);
    for (const priority of [0, 1, 2]) {
      expect(counted.filter((each) => each === priority).length).toBeGreaterThanOrEqual(counted.length / 10);
    }
    expect(counted.filter((each) => each === -1).length).toBeGreaterThan(counted.length / 2);
  });

  test("debts are bounded, and what a class gets anyway counts", () => {
    const turns = new Turns();
    for (let i = 0; i < 10; i++) {
      turns.served(
        SESSION,
        [0, 1],
        Array.from({ length: 1000 }, () => marked(0)),
      );
    }
    expect(turns.plan([0, 1], 1000)[0]).toMatchObject({ priority: 1, taken: 200 });
    turns.served(
      SESSION,
      [0, 1],
      Array.from({ length: 1000 }, () => marked(1)),
    );
    expect(turns.plan([0, 1], 1000)[0]).toMatchObject({ priority: 0 });
  });

  test("remembers who had a struck item last", () => {
    const turns = new Turns();
    turns.served(SESSION, [], [marked(0, { isSolo: true })]);
    expect([turns.isAfterSolo(SESSION), turns.isAfterSolo({})]).toEqual([true, false]);
    turns.served(SESSION, [0], [marked(0)]);
    expect(turns.isAfterSolo(SESSION)).toBe(false);
  });
});
