import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hasReason } from "../../../src/resource/errors.js";
import { logOf } from "../../../src/resource/log-of.js";
import { createDatabase, startPostgres } from "../../support/postgres.js";
import { until } from "../../support/until.js";
import { Replica, type ReplicaOptions, type Seen } from "./replica.js";

let database: Awaited<ReturnType<typeof createDatabase>>;
const replicas: Replica[] = [];

beforeEach(async () => {
  database = await createDatabase();
});

afterEach(async () => {
  await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
  await database.drop();
});

async function start(options: Partial<ReplicaOptions> = {}): Promise<Replica> {
  const replica = await Replica.start({ databaseUrl: database.url, ...options });
  replicas.push(replica);
  return replica;
}

async function sql(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** What a restore to an older backup does to the log. */
function takeBack(revision: number): Promise<void> {
  return sql(`DELETE FROM events WHERE revision > ${revision}`);
}

const TIER = (value: string) => ({ labels: { requirements: [{ key: "tier", values: [value] }] } });
const upTo = (last: number) => Array.from({ length: last }, (_, i) => BigInt(i + 1));

describe("a watch", () => {
  it("says at once that it is open, then brings changes in order, and resumes after its token (I2, I3)", async () => {
    const replica = await start();
    const first = await replica.open();
    await until(() => first.types[0] === "BOOKMARK");
    for (const name of ["a", "b", "c"]) await replica.create(name);
    await until(() => first.seen.length === 3);
    first.close();
    await until(() => first.isEnded);
    await replica.update("a", { spec: { n: 2 } });
    await replica.delete("b");
    const second = await replica.open({ resumeToken: first.token });
    await until(() => second.seen.length === 2);
    expect([...first.seen, ...second.seen].map(({ type, name, revision }) => [type, name, revision])).toEqual([
      ["ADDED", "a", 1n],
      ["ADDED", "b", 2n],
      ["ADDED", "c", 3n],
      ["MODIFIED", "a", 4n],
      ["DELETED", "b", 5n],
    ]);
    expect(first.error).toBeUndefined();
    second.close();
  });

  it("starts now when it is given neither token nor initial state", async () => {
    const replica = await start();
    await replica.create("old");
    const watcher = await replica.open();
    await replica.create("new");
    await until(() => watcher.seen.length > 0);
    expect(watcher.seen.map(({ name }) => name)).toEqual(["new"]);
    watcher.close();
  });

  it("sends bookmarks while it is quiet, whose token covers what the filter left out", async () => {
    const replica = await start({ bookmarkMs: 50 });
    const watcher = await replica.open({ filter: { kind: "Gadget" } });
    const before = watcher.token;
    await replica.create("a");
    await until(() => watcher.types.length >= 3 && watcher.token !== before);
    expect(new Set(watcher.types)).toEqual(new Set(["BOOKMARK"]));
    const resumed = await replica.open({ resumeToken: watcher.token });
    await replica.create("b");
    await until(() => resumed.seen.length > 0);
    expect(resumed.seen.map(({ name }) => name)).toEqual(["b"]);
    watcher.close();
    resumed.close();
  });

  it("shows entering the selector as ADDED and leaving it as DELETED", async () => {
    const replica = await start();
    const watcher = await replica.open({ filter: TIER("web") });
    await replica.create("a", { labels: { tier: "db" } });
    await replica.update("a", { labels: { tier: "web" } });
    await replica.update("a", { labels: { tier: "web", x: "y" } });
    await replica.update("a", { labels: { tier: "db" } });
    await replica.delete("a");
    await until(() => watcher.seen.length === 3);
    expect(watcher.seen.map(({ type }) => type)).toEqual(["ADDED", "MODIFIED", "DELETED"]);
    watcher.close();
  });

  it("sends what exists, then SYNCED, then changes", async () => {
    const replica = await start();
    for (let i = 0; i < 130; i++) void replica.create(`r${i}`, { labels: { tier: i % 2 === 0 ? "web" : "db" } });
    await replica.create("last", { labels: { tier: "web" } });
    const watcher = await replica.open({ filter: TIER("web"), sendInitialState: true });
    await until(() => watcher.types.includes("SYNCED"));
    await replica.delete("last");
    await until(() => watcher.types.includes("DELETED"));
    expect(watcher.types).toEqual([...Array(66).fill("ADDED"), "SYNCED", "DELETED"]);
    expect(new Set(watcher.seen.map(({ name }) => name)).size).toBe(66);
    watcher.close();
  });

  it("reaches the exact state when others write while it lists, in one log or several (I2, I3)", async () => {
    for (const logCount of [1, 3]) {
      await database.drop();
      database = await createDatabase();
      const replica = await start({ logCount });
      const shard = (i: number) => `s${i % 5}`;
      await Promise.all(Array.from({ length: 300 }, (_, i) => replica.create(`r${i}`, { shardId: shard(i) })));
      let isListing = true;
      const writer = (async () => {
        for (let round = 1; isListing || round < 20; round++) {
          await Promise.all([
            replica.update(`r${(round * 7) % 300}`, { shardId: shard(round), spec: { round } }),
            replica.delete(`r${(round * 11) % 300}`).catch(() => {}),
            replica.create(`n${round}`, { shardId: shard(round) }),
          ]).catch(() => {});
        }
      })();
      const watchers = await Promise.all(Array.from({ length: 10 }, () => replica.open({ sendInitialState: true })));
      await until(() => watchers.every(({ types }) => types.includes("SYNCED")));
      isListing = false;
      await writer;
      await replica.create("end");

      const { resources } = await replica.store.reader.list({
        filter: {},
        pendingOnly: false,
        afterId: 0n,
        offset: 0,
        limit: 10_000,
        maxBytes: 1 << 26,
      });
      const expected = new Map(resources.map(({ uid, writeCount }) => [uid, writeCount]));
      for (const watcher of watchers) {
        await until(() => sameState(stateOf(watcher.seen), expected), { what: `${logCount} logs: same state` });
        watcher.close();
      }
    }
  });

  it("lets a client that was away keep a resource that moved to another log and back", async () => {
    const replica = await start({ logCount: 3 });
    const shardIn = (log: number) =>
      Array.from({ length: 100 }, (_, i) => `s${i}`).find((shard) => logOf(shard, 3) === log) ?? "none";
    const [first, last] = [shardIn(0), shardIn(2)];
    const created = await replica.open();
    await replica.create("a", { shardId: first });
    await until(() => created.seen.length === 1);
    created.close();
    for (const shardId of [last, first]) await replica.update("a", { shardId });
    const resumed = await replica.open({ resumeToken: created.token });
    await until(() => resumed.seen.length === 4);
    // Log by log: the last word is about the place it has left.
    expect(resumed.seen.map(({ type, log }) => `${type} ${log}`)).toEqual([
      "DELETED 0",
      "ADDED 0",
      "ADDED 2",
      "DELETED 2",
    ]);
    expect([...stateOf([...created.seen, ...resumed.seen]).values()]).toEqual([3n]);
    resumed.close();
  });

  it("refuses a token of another lineage and of a future that is gone (I4)", async () => {
    const replica = await start();
    for (const name of ["a", "b", "c"]) await replica.create(name);
    const watcher = await replica.open();
    const { token } = await until(() => watcher.token !== "" && watcher);
    watcher.close();
    await takeBack(1);
    await expect(replica.open({ resumeToken: token })).rejects.toSatisfy((error) => hasReason(error, "FOREIGN_TOKEN"));
    for (const name of ["d", "e", "f"]) await replica.create(name);
    await expect(replica.open({ resumeToken: token })).rejects.toSatisfy((error) => hasReason(error, "FOREIGN_TOKEN"));
  });

  it("does not show changes of a lost future to a watch opened after the restore", async () => {
    const replica = await start();
    await replica.create("a");
    const early = await replica.open();
    await until(() => early.token);
    early.close();
    for (const name of ["b", "c"]) await replica.create(name);
    await takeBack(1);
    const [resumed, fresh] = [await replica.open({ resumeToken: early.token }), await replica.open()];
    await replica.create("d");
    await until(() => resumed.seen.length > 0 && fresh.seen.length > 0);
    expect([resumed, fresh].map(({ seen }) => seen.map(({ name }) => name))).toEqual([["d"], ["d"]]);
    resumed.close();
    fresh.close();
  });

  it("ends watches beyond a restore with LINEAGE_LOST, without any new write (I4, W5)", async () => {
    const replica = await start();
    await replica.create("a");
    const behind = await replica.open({ filter: { kind: "Gadget" } });
    const beyond = await replica.open();
    await replica.create("b");
    await until(() => beyond.seen.length === 1);
    await takeBack(1);
    await until(() => beyond.isEnded);
    expect(hasReason(beyond.error, "LINEAGE_LOST")).toBe(true);
    // It had moved past "b" as well, though it was shown nothing.
    await until(() => behind.isEnded);
    expect(hasReason(behind.error, "LINEAGE_LOST")).toBe(true);
    const again = await replica.open();
    await replica.create("c");
    await until(() => again.seen.length === 1);
    again.close();
  });

  it("ends with LINEAGE_LOST when the new history is longer than the old one", async () => {
    const replica = await start();
    const other = await start();
    const watcher = await replica.open();
    await replica.create("a");
    await replica.create("b");
    await until(() => watcher.seen.length === 2);
    await takeBack(1);
    for (const name of ["x", "y", "z"]) await other.create(name);
    await until(() => watcher.isEnded);
    expect(hasReason(watcher.error, "LINEAGE_LOST")).toBe(true);
    expect(watcher.seen.map(({ name }) => name)).toEqual(["a", "b"]);
  });

  it("refuses a token that retention has overtaken, and ends a slow watch that it overtakes", async () => {
    const replica = await start({ ringLimits: { maxEvents: 2, maxBytes: 1_000_000 } });
    const early = await replica.open();
    await until(() => early.token);
    early.close();
    const abort = new AbortController();
    const slow = (
      await replica.watch.open({ filter: {}, sendInitialState: false, resumeToken: early.token }, abort.signal)
    )[Symbol.asyncIterator]();
    await slow.next();
    for (const name of ["a", "b", "c", "d", "e"]) await replica.create(name);
    await sql(
      "UPDATE log_floors SET (revision, fingerprint) = (SELECT revision, fingerprint FROM events WHERE revision = 2)",
    );
    await sql("DELETE FROM events WHERE revision <= 2");
    await expect(replica.open({ resumeToken: early.token })).rejects.toSatisfy((error) =>
      hasReason(error, "COMPACTED"),
    );
    await expect(slow.next()).rejects.toSatisfy((error) => hasReason(error, "COMPACTED"));
    abort.abort();
  });

  it("reads what the ring has dropped from PostgreSQL, and counts where events came from", async () => {
    const replica = await start({ ringLimits: { maxEvents: 10, maxBytes: 1_000_000 } });
    const early = await replica.open();
    await until(() => early.token);
    early.close();
    await Promise.all(Array.from({ length: 700 }, (_, i) => replica.create(`r${i}`)));
    const watcher = await replica.open({ resumeToken: early.token });
    await until(() => watcher.seen.length === 700);
    expect(watcher.revisions).toEqual(upTo(700));
    expect(watcher.largestBatch).toBeLessThanOrEqual(256);
    expect(await replica.count("watchEvents", "postgres")).toBeGreaterThanOrEqual(690);
    expect(await replica.count("watchTailEvents", "memory")).toBe(700);
    watcher.close();
  });

  it("keeps batches near 1 MiB (I9)", async () => {
    const replica = await start();
    const early = await replica.open();
    await until(() => early.token);
    early.close();
    for (let i = 0; i < 12; i++) await replica.create(`r${i}`, { spec: "x".repeat(400_000) });
    const watcher = await replica.open({ resumeToken: early.token });
    await until(() => watcher.seen.length === 12);
    expect(watcher.largestBatch).toBeLessThanOrEqual(2);
    watcher.close();
  });

  it("shows commits of another replica without Redis", async () => {
    const [here, there] = [await start(), await start()];
    const watcher = await here.open();
    for (let i = 0; i < 20; i++) await Promise.all([there.create(`t${i}`), here.create(`h${i}`)]);
    await until(() => watcher.seen.length === 40);
    expect(watcher.revisions).toEqual(upTo(40));
    expect(await here.count("watchTailEvents", "postgres")).toBeGreaterThan(0);
    watcher.close();
  });

  it("ends when the server stops, with an error that says to resume", async () => {
    const replica = await start();
    const watcher = await replica.open();
    await until(() => watcher.token);
    await replica.watch.stop();
    await until(() => watcher.isEnded);
    expect(hasReason(watcher.error, "SHUTTING_DOWN")).toBe(true);
    await expect(replica.open()).rejects.toSatisfy((error) => hasReason(error, "SHUTTING_DOWN"));
  });

  it("releases everything when its client is gone, even if it never pulls again", async () => {
    const replica = await start();
    const abort = new AbortController();
    const batches = await replica.watch.open(
      { filter: {}, sendInitialState: false, resumeToken: undefined },
      abort.signal,
    );
    await batches[Symbol.asyncIterator]().next();
    expect((await replica.metrics.watchers.get()).values[0]?.value).toBe(1);
    abort.abort();
    expect((await replica.metrics.watchers.get()).values[0]?.value).toBe(0);
  });

  it("gives watchers of one filter the same batch object", async () => {
    const replica = await start();
    const abort = new AbortController();
    const open = async () => {
      const batches = await replica.watch.open(
        { filter: {}, sendInitialState: false, resumeToken: undefined },
        abort.signal,
      );
      const iterator = batches[Symbol.asyncIterator]();
      await iterator.next();
      return iterator;
    };
    const iterators = await Promise.all(Array.from({ length: 5 }, open));
    const pulls = iterators.map((iterator) => iterator.next());
    await replica.create("a");
    const [first, ...others] = (await Promise.all(pulls)).map(({ value }) => value);
    for (const batch of others) expect(batch).toBe(first);
    abort.abort();
  });
});

describe("a watch without PostgreSQL", () => {
  it("waits out a restart and goes on with what was committed meanwhile", async () => {
    const cluster = await startPostgres();
    const replica = await Replica.start({ databaseUrl: cluster.url, bookmarkMs: 100 });
    try {
      const watcher = await replica.open();
      await replica.create("a");
      await until(() => watcher.seen.length === 1);
      await cluster.stop("immediate");
      await expect(replica.open()).rejects.toSatisfy((error) => hasReason(error, "STORE_UNAVAILABLE"));
      const { batches } = watcher;
      await until(() => watcher.batches > batches + 2, { what: "bookmarks go on" });
      await cluster.start();
      await until(() => replica.create("b").then(() => true));
      await until(() => watcher.seen.length === 2);
      expect(watcher.error).toBeUndefined();
      watcher.close();
    } finally {
      await replica.stop();
      await cluster.remove();
    }
  });
});

/** What a client ends up with that follows the rule of WatchResources: counts of writes by uid. */
function stateOf(seen: readonly Seen[]): Map<string, bigint> {
  const state = new Map<string, bigint>();
  for (const { type, uid, writeCount } of seen) {
    if (writeCount < (state.get(uid) ?? 0n)) continue;
    if (type === "DELETED") state.delete(uid);
    else state.set(uid, writeCount);
  }
  return state;
}

function sameState(a: ReadonlyMap<string, bigint>, b: ReadonlyMap<string, bigint>): boolean {
  return a.size === b.size && [...a].every(([uid, writeCount]) => b.get(uid) === writeCount);
}
