import { afterAll, beforeAll, expect, test } from "vitest";
import { keyOf, openWork, type Replica, remove, type Work, write } from "./open-work.js";

const ROUNDS = 15;
const NAMES = Array.from({ length: 20 }, (_, i) => `r${i}`);

let work: Work;
let other: Replica;
beforeAll(async () => {
  work = await openWork();
  other = await work.addReplica();
});
afterAll(() => work.close());

test.each(["with", "without"])(
  "an Enqueue that crosses a removal leaves no item of what is gone: %s an item before",
  async (items) => {
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all(NAMES.map((name) => write(work, name)));
      if (items === "without") await work.sql("DELETE FROM work_items");
      await Promise.all(
        NAMES.flatMap((name) => [
          remove(work, name),
          ...[work, other, other].map(({ queue }) => queue.enqueue(keyOf(name), "").catch(expectNotFound)),
        ]),
      );
      expect(await work.sql("SELECT name FROM work_items")).toEqual([]);
    }
  },
);

function expectNotFound(error: unknown): void {
  expect(error).toMatchObject({ code: "NOT_FOUND" });
}
