import { expect, test } from "vitest";
import type { Resource } from "../../gen/reconcile/v1/resource_pb.js";
import { type ClientResource, readResource } from "../../src/client/client-resource.js";
import { type Arrangement, comparator, matcher } from "../../web/src/resources/arrangement.js";
import { RowStore } from "../../web/src/resources/row-store.js";
import { Random } from "../support/seed.js";

let draw: () => void = () => {};
const atNextFrame = (frame: () => void) => {
  draw = frame;
};

const BY_STATE: Arrangement = { sortBy: "state", isDescending: false, text: "", state: undefined };

function resource(number: number, writeCount: number, isReady: boolean): ClientResource {
  const status = { conditions: [{ type: "Ready", status: isReady ? "True" : "False", reason: "", message: "" }] };
  return readResource({
    key: { resourceGroup: "g", kind: "k", namespace: "n", name: `name-${number}` },
    uid: `uid-${number}`,
    ...{ shardId: "s", labels: {}, annotations: {}, finalizers: [], specJson: "", statusJson: JSON.stringify(status) },
    ...{ generation: 1n, observedGeneration: 1n, revision: BigInt(writeCount), writeCount: BigInt(writeCount) },
  } as unknown as Resource); // what the wire form has besides does not matter here
}

test("shows what sorting everything anew would show, whatever came in whatever order", () => {
  const random = new Random(11);
  const store = new RowStore(BY_STATE, atNextFrame);
  const latest = new Map<number, ClientResource>();
  for (let step = 1; step <= 3_000; step++) {
    const number = random.below(60);
    if (random.below(4) > 0) {
      const next = resource(number, step, random.below(2) === 0);
      latest.set(number, next);
      store.put(next, true);
    } else {
      const last = latest.get(number);
      latest.delete(number);
      if (last !== undefined) store.remove(last);
    }
    if (random.below(5) === 0) draw();
  }
  draw();
  const { rows, held } = store.getView();
  expect(held).toBe(latest.size);
  expect(rows).toEqual([...rows].sort(comparator(BY_STATE)));
  const seen = new Map(rows.map(({ name, writeCount }) => [name, writeCount]));
  expect(seen).toEqual(new Map([...latest].map(([number, { writeCount }]) => [`name-${number}`, writeCount])));
});

test("keeps the newer of two states, in whichever order they come (several logs)", () => {
  const store = new RowStore(BY_STATE, atNextFrame);
  store.put(resource(1, 5, true), true);
  store.put(resource(1, 4, false), true);
  store.remove(resource(1, 3, false));
  draw();
  expect(store.getView().rows.map(({ writeCount, state }) => [writeCount, state])).toEqual([[5n, "ready"]]);
});

test("a list read anew drops what is gone meanwhile", () => {
  const store = new RowStore(BY_STATE, atNextFrame);
  for (const number of [1, 2, 3]) store.put(resource(number, 1, true), false);
  store.complete(new Set(["uid-1", "uid-3"]));
  draw();
  expect(store.getView()).toMatchObject({ held: 2, isComplete: true, isOverfull: false });
  expect(store.getView().rows.map(({ name }) => name)).toEqual(["name-1", "name-3"]);
});

test("the text is found in any case, and a state by its name", () => {
  const rows = new RowStore(BY_STATE, atNextFrame);
  rows.put(resource(1, 1, true), false);
  rows.put(resource(12, 1, false), false);
  draw();
  const shown = (change: Partial<Arrangement>) =>
    rows
      .getView()
      .rows.filter(matcher({ ...BY_STATE, ...change }))
      .map(({ name }) => name);
  expect(shown({ text: "NAME-1" })).toEqual(["name-12", "name-1"]);
  expect(shown({ state: "ready" })).toEqual(["name-1"]);
  expect(shown({ text: "-12", state: "ready" })).toEqual([]);
});
