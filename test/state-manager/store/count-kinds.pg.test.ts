import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { columnArrays } from "../../../src/state-manager/store/columns.js";
import { RESOURCE_UPDATES } from "../../../src/state-manager/store/statements/resources.js";
import { first, KIND, keyOf, leaseNow, openWork, registration, report, type Work, write } from "../work/open-work.js";

let work: Work;
beforeAll(async () => {
  work = await openWork();
});
afterAll(() => work.close());

const counted = async (kind: string) => (await work.store.reader.countKinds()).find((summary) => summary.kind === kind);
const reportStatus = (name: string, ready: string) =>
  work.store.sink.submit({
    type: "update-status",
    key: keyOf(name),
    statusJson: `{"conditions":[{"type":"Ready","status":"${ready}"}]}`,
    observedGeneration: undefined,
    metadata: undefined,
    expected: {},
  });

const NOTHING = { resources: 0n, pending: 0n, notReady: 0n, failing: 0n, quarantined: 0n, due: 0n, leased: 0n };

describe("kinds", () => {
  test("are those with resources or a reconciler, counted by what the store holds", async () => {
    const kinds = [KIND, { ...KIND, kind: "Empty" }];
    const { sessionId } = await work.queue.register(registration({ kinds, backoffBaseMs: 60_000 }));
    await work.queue.register(registration({ kinds, instanceId: "two" }));
    for (const name of ["a", "b", "c", "d", "e"]) await write(work, name);
    await reportStatus("a", "True");
    await reportStatus("b", "False");
    const [leased, failed, done] = await leaseNow(work, sessionId, 3);
    if (!(leased && failed && done)) throw new Error("three were due");
    await report(work, sessionId, failed, { type: "ERROR", error: "no" });
    await report(work, sessionId, done);
    await work.sql("UPDATE work_items SET quarantined_at = now(), strikes = 5 WHERE name = $1", [
      failed.resource.key.name,
    ]);

    const [oldest] = await work.sql<{ due_at: Date }>(
      "SELECT min(due_at) AS due_at FROM work_items WHERE due_at <= now()",
    );
    expect(await work.store.reader.countKinds()).toEqual([
      { ...KIND, kind: "Empty", ...NOTHING, oldestDueAt: null, reconciler: "widgets", sessions: 2 },
      {
        ...KIND,
        resources: 5n,
        pending: 3n,
        notReady: 1n,
        failing: 1n,
        quarantined: 1n,
        due: 2n,
        leased: 1n,
        oldestDueAt: oldest?.due_at,
        reconciler: "widgets",
        sessions: 2,
      },
    ]);
    await work.queue.deregister(sessionId);
    await reportStatus("b", "True");
    expect(await counted(KIND.kind)).toMatchObject({ notReady: 0n, leased: 0n, sessions: 1 });
  });
});

test("a report is a heap-only update unless the resource becomes ready, or ceases to be", async () => {
  const resource = await write(work, "hot");
  const { statement, columns } = RESOURCE_UPDATES.status;
  // The count of a connection goes on across its transactions.
  const count = { name: "count-hot", text: "SELECT pg_stat_get_xact_tuples_hot_updated('resources'::regclass) AS hot" };
  const isHot = (ready: string) =>
    work.store.database.transaction(async (connection) => {
      const statusJson = `{"conditions":[{"type":"Ready","status":"${ready}"}]}`;
      const before = first(await connection.query<{ hot: bigint }>(count)).hot;
      await connection.query(statement, columnArrays(columns, [{ resource: { ...resource, statusJson }, log: 0 }]));
      return first(await connection.query<{ hot: bigint }>(count)).hot > before;
    });
  const reports = ["True", "True", "False", "Unknown", "True"];
  const hot: boolean[] = [];
  for (const ready of reports) hot.push(await isHot(ready));
  expect(hot).toEqual([true, true, false, true, false]);
});
