import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Change } from "../../../src/resource/change.js";
import type { Command, ResourceInput } from "../../../src/resource/command.js";
import type { OwnerFacts } from "../../../src/resource/owner.js";
import type { CommandResult } from "../../../src/state-manager/store/store.js";
import { openTestStore, type TestStore } from "../../support/store.js";
import { thing, thingKey } from "../../support/things.js";
import { until } from "../../support/until.js";

const apply = (name: string, changes: Partial<ResourceInput> = {}): Command => ({
  type: "apply",
  input: thing(name, changes),
});
const ownedBy = (name: string): Pick<OwnerFacts, "owner"> => ({
  owner: { resourceGroup: "test", kind: "thing", name, uid: "" },
});
/** In as many logs as there are. */
const applies = (prefix: string, count: number, specJson = "1") =>
  Array.from({ length: count }, (_, n) => apply(`${prefix}-${n}`, { shardId: `shard-${n % 16}`, specJson }));

async function outcomesOf(runs: AsyncIterable<readonly CommandResult[]>): Promise<string[]> {
  const outcomes: string[] = [];
  for await (const results of runs) outcomes.push(...results.map(({ outcome }) => outcome));
  return outcomes;
}

describe.each([1, 4])("runs in a store with %i log(s)", (logCount) => {
  let store: TestStore;
  beforeAll(async () => {
    store = await openTestStore({ logCount });
  });
  afterAll(() => store.close());

  const changesOf = (prefix: string): Change[] =>
    store.committed.flatMap(({ changes }) => changes).filter(({ resource }) => resource.key.name.startsWith(prefix));
  const revisionsOf = (log: number) =>
    store.committed.flatMap(({ changes }) => changes.filter((change) => change.log === log).map((c) => c.revision));
  const itemsOf = async (prefix: string) => {
    const text = `SELECT name FROM work_items WHERE name LIKE '${prefix}%' AND due_at IS NOT NULL`;
    return (await store.database.query({ name: "items", text })).length;
  };

  it("store all, in the order of the commands and without gaps in any log (I2)", async () => {
    const commands = applies("order", 1_300);
    const outcomes = await outcomesOf(store.sink.submitAll(commands));
    expect(outcomes).toEqual(commands.map(() => "CREATED"));
    for (let log = 0; log < logCount; log++) {
      expect(revisionsOf(log)).toEqual(revisionsOf(log).map((_, i) => BigInt(i + 1)));
      const numbers = changesOf("order-").filter((change) => change.log === log);
      const places = numbers.map(({ resource }) => Number(resource.key.name.split("-")[1]));
      expect(places).toEqual(places.toSorted((a, b) => a - b));
    }
    expect(changesOf("order-")).toHaveLength(1_300);
    expect(await itemsOf("order-")).toBe(1_300);
  });

  it("change nothing when they come again", async () => {
    const commands = applies("again", 700);
    await outcomesOf(store.sink.submitAll(commands));
    const before = changesOf("again-").length;
    expect(new Set(await outcomesOf(store.sink.submitAll(commands)))).toEqual(new Set(["UNCHANGED"]));
    const changed = await outcomesOf(store.sink.submitAll(applies("again", 700, "2")));
    expect(new Set(changed)).toEqual(new Set(["UPDATED"]));
    expect(changesOf("again-")).toHaveLength(before + 700);
  });

  it("are written whole or not at all: what is refused takes its run along, and ends the sequence", async () => {
    const commands = applies("whole", 1_200);
    commands[600] = apply("whole-orphan", ownedBy("nobody"));
    const runs = store.sink.submitAll(commands);
    const stored: CommandResult[] = [];
    const failure = (async () => {
      for await (const results of runs) stored.push(...results);
    })();
    await expect(failure).rejects.toMatchObject({
      first: 500,
      count: 500,
      refused: 600,
      cause: { reason: "OWNER_NOT_FOUND" },
    });
    expect(stored).toHaveLength(500);
    expect(changesOf("whole-")).toHaveLength(500);
    expect(await itemsOf("whole-")).toBe(500);
    expect(await store.reader.get(thingKey("whole-499"))).toBeDefined();
    for (const absent of [500, 599, 601, 1_100]) {
      expect(await store.reader.get(thingKey(`whole-${absent}`))).toBeUndefined();
    }
    for (let log = 0; log < logCount; log++)
      expect(revisionsOf(log)).toEqual(revisionsOf(log).map((_, i) => BigInt(i + 1)));
  });

  it("may own each other, in one run and across", async () => {
    const commands = applies("family", 600);
    commands[1] = apply("family-1", { shardId: "shard-9", ...ownedBy("family-0") });
    commands[599] = apply("family-599", { shardId: "shard-3", ...ownedBy("family-0") });
    await outcomesOf(store.sink.submitAll(commands));
    const [parent, child, late] = await Promise.all([0, 1, 599].map((n) => store.reader.get(thingKey(`family-${n}`))));
    expect(child?.owner?.uid).toBe(parent?.uid);
    expect(late?.owner?.uid).toBe(parent?.uid);
  });

  it("find resources that live in other logs", async () => {
    const before = applies("moving", 40);
    await outcomesOf(store.sink.submitAll(before));
    const moved = Array.from({ length: 40 }, (_, n) => apply(`moving-${n}`, { shardId: `shard-${(n + 5) % 16}` }));
    expect(new Set(await outcomesOf(store.sink.submitAll(moved)))).toEqual(new Set(["UPDATED"]));
    expect((await store.reader.get(thingKey("moving-3")))?.shardId).toBe("shard-8");
  });

  it("let single writes pass between them", async () => {
    const singles: Promise<CommandResult>[] = [];
    let runs = 0;
    for await (const results of store.sink.submitAll(applies("crowd", 2_500))) {
      expect(results.length).toBeGreaterThan(0);
      runs++;
      singles.push(store.sink.submit(apply(`single-${runs}`)));
    }
    await Promise.all(singles);
    const order = store.committed
      .flatMap(({ changes }) => changes)
      .map(({ resource }) => resource.key.name)
      .filter((name) => /^(crowd|single)-/.test(name));
    expect(runs).toBeGreaterThan(3);
    // One that came while a run was at work is in before the last run: it never waits for the whole sequence.
    expect(order.indexOf("single-1")).toBeLessThan(order.indexOf("crowd-2499"));
  });

  it("take turns with the runs of others", async () => {
    const [one, other] = ["one", "other"].map((name) => outcomesOf(store.sink.submitAll(applies(name, 1_500))));
    await Promise.all([one, other]);
    const names = store.committed.flatMap(({ changes }) => changes).map(({ resource }) => resource.key.name);
    expect(names.indexOf("other-0")).toBeLessThan(names.indexOf("one-1499"));
  });

  it("decide the same and write nothing in a dry run", async () => {
    const commands = applies("dry", 250);
    commands[249] = apply("dry-249", ownedBy("dry-0"));
    await store.sink.submit(apply("dry-7", { shardId: "shard-7", specJson: "1" }));
    const outcomes = await outcomesOf(store.dryRun.submitAll(commands));
    expect(outcomes.map((outcome, n) => (outcome === "UNCHANGED" ? n : -1)).filter((n) => n >= 0)).toEqual([7]);
    expect(outcomes).toHaveLength(250);
    expect(changesOf("dry-")).toHaveLength(1);
    commands[130] = apply("dry-130", ownedBy("nobody"));
    await expect(outcomesOf(store.dryRun.submitAll(commands))).rejects.toMatchObject({
      refused: 130,
      cause: { reason: "OWNER_NOT_FOUND" },
    });
  });
});

it("does the rest in a second call when the first was broken off", async () => {
  const store = await openTestStore();
  const commands = applies("closing", 2_000);
  const runs = store.sink.submitAll(commands);
  const first = await runs.next();
  expect(first.value).toHaveLength(500);
  await runs.return();
  const outcomes = await outcomesOf(store.sink.submitAll(commands));
  expect(outcomes.filter((outcome) => outcome === "UNCHANGED")).toHaveLength(500);
  expect(outcomes.filter((outcome) => outcome === "CREATED")).toHaveLength(1_500);
  await store.close();
});

describe("a run whose transaction PostgreSQL cancels at one of its statements", () => {
  let store: TestStore;
  let admin: pg.Client;
  beforeAll(async () => {
    store = await openTestStore();
    admin = new pg.Client({ connectionString: store.url });
    await admin.connect();
  });
  afterAll(async () => {
    await admin.end();
    await store.close();
  });

  /** What a statement of the run has to wait for: reading, or writing. */
  const WAITS = [
    ["lock-heads", "log_heads", "EXCLUSIVE"],
    ["read-log-ends", "log_floors", "ACCESS EXCLUSIVE"],
    ["read-resources-by-key", "resources", "ACCESS EXCLUSIVE"],
    ["lock-work-items", "work_items", "ACCESS EXCLUSIVE"],
    ["insert-resources", "resources", "SHARE"],
    ["insert-events", "events", "SHARE"],
    ["insert-work-items", "work_items", "SHARE"],
  ] as const;
  const ENDS = { cancelled: "pg_cancel_backend", terminated: "pg_terminate_backend" } as const;

  it.each(
    WAITS.flatMap(([statement, table, mode]) =>
      (["cancelled", "terminated"] as const).map((how) => [statement, how, table, mode] as const),
    ),
  )("stores both of two resources or none: %s is %s", async (statement, how, table, mode) => {
    const names = [0, 1].map((n) => `${statement}-${how}-${n}`);
    await outcomesOf(store.sink.submitAll([apply(names[0] ?? "")]));
    await admin.query(`BEGIN; LOCK TABLE ${table} IN ${mode} MODE`);
    // One that is there and changes, one that is new.
    const writing = outcomesOf(store.sink.submitAll(names.map((name) => apply(name, { specJson: "2" }))));
    const settled = writing.then(
      (outcomes) => outcomes,
      (error: unknown) => error,
    );
    const end = `SELECT ${ENDS[how]}(pid) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))`;
    await until(async () => (await admin.query(end)).rows.length > 0, { what: `${statement} waits` });
    await admin.query("ROLLBACK");
    const outcome = await settled;
    const stored = await Promise.all(names.map((name) => store.reader.get(thingKey(name))));
    const written = stored.map((resource) => resource?.specJson === "2");
    if (Array.isArray(outcome))
      expect([outcome, written]).toEqual([
        ["UPDATED", "CREATED"],
        [true, true],
      ]);
    else expect([outcome, written]).toMatchObject([{ cause: { code: "UNAVAILABLE" } }, [false, false]]);
    if (how === "cancelled") expect(outcome).toEqual(["UPDATED", "CREATED"]);
  });
});
