import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { AcceptFirst, type Exchange } from "../../../src/state-manager/api/accept-first.js";

/** What the class reads of an exchange is whether its response is gone. */
function exchange(destroyed = false): Exchange {
  return [{}, { destroyed }] as unknown as Exchange;
}

function setUp() {
  const served: unknown[] = [];
  const turns = new AcceptFirst((_request, response) => {
    served.push(response);
  });
  return { served, turns };
}

test("while no connection arrives, a request begins at once", () => {
  const { served, turns } = setUp();
  for (let i = 0; i < 100; i++) turns.begin(...exchange());
  expect(served).toHaveLength(100);
});

test("with 1,000 connections of busy clients, few requests begin between two accepts, so that the last is accepted soon", async () => {
  const { served, turns } = setUp();
  const TURNS = 160;
  for (let accepted = 0; accepted < TURNS; accepted++) {
    turns.accepted();
    for (let i = 0; i < 50; i++) turns.begin(...exchange());
    await turn();
  }
  expect(served.length).toBeGreaterThanOrEqual(TURNS);
  expect(served.length).toBeLessThan(TURNS * 6);
});

test("what waited begins, in order, after the first turn without a connection", async () => {
  const { served, turns } = setUp();
  const all = Array.from({ length: 30 }, () => exchange());
  turns.accepted();
  for (const one of all) turns.begin(...one);
  await turn();
  await turn();
  expect(served).toEqual(all.map(([, response]) => response));
  turns.begin(...exchange());
  expect(served).toHaveLength(31);
});

test("a request whose client left while it waited is not begun", async () => {
  const { served, turns } = setUp();
  turns.accepted();
  turns.begin(...exchange(true));
  turns.begin(...exchange());
  await turn();
  await turn();
  expect(served).toHaveLength(1);
});
