import pg from "pg";
import { afterEach, describe, expect, it } from "vitest";
import { type Change, ORIGIN, type Position } from "../../../src/resource/change.js";
import { DomainError } from "../../../src/resource/errors.js";
import { logOf } from "../../../src/resource/log-of.js";
import { Database, PING } from "../../../src/state-manager/store/database.js";
import { EventPartitions, partitionName } from "../../../src/state-manager/store/event-partitions.js";
import { migrate } from "../../../src/state-manager/store/migrate.js";
import { openStore, type PostgresStore } from "../../../src/state-manager/store/postgres-store.js";
import { createDatabase, startPostgres } from "../../support/postgres.js";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.js";
import { thing, thingKey } from "../../support/things.js";
import { until } from "../../support/until.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function open(databaseUrl: string): Promise<PostgresStore> {
  const store = await openStore({ databaseUrl, onCommitted: async () => {} });
  cleanups.push(() => store.close());
  return store;
}

/** A store that reaches PostgreSQL through a proxy, and one that reaches it directly. */
async function openBehindProxy() {
  const { url, drop } = await createDatabase();
  cleanups.push(drop);
  const target = new URL(url);
  const proxy = await startTcpProxy({ host: target.hostname, port: Number(target.port) });
  cleanups.push(() => proxy.close());
  target.port = String(proxy.port);
  return { proxy, direct: await open(url), store: await open(target.href) };
}

async function history(store: PostgresStore): Promise<Change[]> {
  const changes: Change[] = [];
  for (let after: Position = ORIGIN; ; after = changes.at(-1) ?? ORIGIN) {
    const page = await store.log.read(0, after, 500);
    if (page.length === 0) return changes;
    changes.push(...page);
  }
}

describe("replicas that start at once on an empty database", () => {
  it("migrate it once and agree on its identity", async () => {
    const { url, drop } = await createDatabase("nothing");
    cleanups.push(drop);
    const identities = await Promise.all(Array.from({ length: 4 }, () => migrate(url, {})));
    expect(new Set(identities.map(({ storeId }) => storeId)).size).toBe(1);
  });

  it("are told when LOG_COUNT is not the store's", async () => {
    const { url, drop } = await createDatabase();
    cleanups.push(drop);
    expect((await migrate(url, { logCount: 2 })).logCount).toBe(2);
    expect((await migrate(url, {})).logCount).toBe(2);
    await expect(migrate(url, { logCount: 3 })).rejects.toThrowError(
      /LOG_COUNT is 3, but the store was created with 2/,
    );
  });
});

describe("a COMMIT whose reply is lost", () => {
  it("is found by its fingerprint and acknowledged, not repeated (2.4)", async () => {
    const { proxy, store, direct } = await openBehindProxy();
    await store.sink.submit({ type: "create", input: thing("before") });
    proxy.cutReplyTo("insert-created");
    const { resource } = await store.sink.submit({ type: "create", input: thing("cut") });
    expect(proxy.hasCut()).toBe(true);
    expect(await direct.reader.get(thingKey("cut"))).toEqual(resource);
    expect((await history(direct)).map(({ revision }) => revision)).toEqual([1n, 2n]);
  });

  it("that never arrived is refused as retryable and leaves nothing", async () => {
    const { proxy, store, direct } = await openBehindProxy();
    proxy.cutReplyTo("read-log-ends");
    const error = await store.sink.submit({ type: "create", input: thing("cut") }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "STORE_UNAVAILABLE" });
    expect(await direct.reader.get(thingKey("cut"))).toBeUndefined();
    await store.sink.submit({ type: "create", input: thing("cut") });
    expect(await history(direct)).toHaveLength(1);
  });
});

describe("a COMMIT behind which PostgreSQL ends in a panic", () => {
  /** As it arrives when the log cannot be flushed; the commit may be in it all the same. */
  const PANIC = Buffer.from("SPANIC\0VPANIC\0C53100\0Mcould not fsync file: No space left on device\0\0");
  const lastWords = Buffer.concat([Buffer.from("E"), Buffer.alloc(4), PANIC]);
  lastWords.writeInt32BE(PANIC.length + 4, 1);

  it("is looked for: an error of the server was taken for proof that nothing is stored (I10)", async () => {
    const { proxy, store, direct } = await openBehindProxy();
    await store.sink.submit({ type: "create", input: thing("before") });
    proxy.cutReplyTo("insert-created", 1, lastWords);
    const { outcome } = await store.sink.submit({ type: "create", input: thing("committed") });
    expect([outcome, proxy.hasCut()]).toEqual(["CREATED", true]);
    expect(await direct.reader.get(thingKey("committed"))).toBeDefined();
  });

  it("is refused when it is not there", async () => {
    const { store, direct } = await openBehindProxy();
    await store.sink.submit({ type: "create", input: thing("before") });
    await direct.database.query({
      name: "fill",
      text: `CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER fills BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION fill()`,
    });
    const error = await store.sink.submit({ type: "create", input: thing("full") }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("disk of the database is full"),
    });
    expect(await direct.reader.get(thingKey("full"))).toBeUndefined();
  });
});

describe("a COMMIT that the network delivers late", () => {
  const sendLate = async (proxy: TcpProxy, store: PostgresStore) => {
    proxy.hold("insert-created");
    const created = store.sink.submit({ type: "create", input: thing("late") });
    await until(proxy.isHolding);
    proxy.hangUp();
    return created.then(
      ({ outcome }) => outcome,
      (error: unknown) => error,
    );
  };

  it("stores nothing once the write was refused: a create refused with UNAVAILABLE was stored later (I10)", async () => {
    const { proxy, store, direct } = await openBehindProxy();
    await store.sink.submit({ type: "create", input: thing("before") });
    expect(await sendLate(proxy, store)).toMatchObject({ code: "UNAVAILABLE", reason: "STORE_UNAVAILABLE" });
    await proxy.deliver();
    expect(await direct.reader.get(thingKey("late"))).toBeUndefined();
    expect((await store.sink.submit({ type: "create", input: thing("late") })).outcome).toBe("CREATED");
    expect((await history(direct)).map(({ revision }) => revision)).toEqual([1n, 2n]);
  });

  it("is acknowledged while it may still arrive", async () => {
    const { proxy, store, direct } = await openBehindProxy();
    await store.sink.submit({ type: "create", input: thing("before") });
    const sent = sendLate(proxy, store);
    await until(proxy.isHolding);
    await proxy.deliver();
    expect(await sent).toBe("CREATED");
    expect(await direct.reader.get(thingKey("late"))).toBeDefined();
  });
});

describe("a write whose reply is lost, COMMIT on its heels", () => {
  it("is acknowledged when it is in, and otherwise refused without a trace", async () => {
    const { proxy, store, direct } = await openBehindProxy();
    const acknowledged: string[] = [];
    for (let i = 0; i < 10; i++) {
      // Whether COMMIT still gets through with it is up to the network.
      proxy.cutReplyTo("insert-created");
      const outcome = await store.sink.submit({ type: "create", input: thing(`cut-${i}`) }).then(
        (result) => result.outcome,
        (error: unknown) => (error instanceof DomainError ? error.code : String(error)),
      );
      expect(proxy.hasCut()).toBe(true);
      expect(["CREATED", "UNAVAILABLE"]).toContain(outcome);
      if (outcome === "CREATED") acknowledged.push(`cut-${i}`);
    }
    expect((await history(direct)).map(({ resource }) => resource.key.name)).toEqual(acknowledged);
  });
});

describe("a write that the server refuses, COMMIT on its heels", () => {
  it.each([
    ["one statement", { others: [] }],
    ["several statements", { others: ["known"] }],
  ])("takes back all of its transaction: %s", async (_, { others }) => {
    const { url, drop } = await createDatabase();
    cleanups.push(drop);
    const store = await open(url);
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    cleanups.push(() => admin.end());
    await admin.query("ALTER TABLE work_items ADD CONSTRAINT no_poison CHECK (name <> 'poison')");
    for (const name of others) await store.sink.submit({ type: "create", input: thing(name) });
    const writes = [
      ...["good-1", "poison", "good-2"].map((name) => ({ type: "create" as const, input: thing(name) })),
      ...others.map((name) => ({ type: "delete" as const, key: thingKey(name), expected: {} })),
    ];
    const results = await Promise.allSettled(writes.map((command) => store.sink.submit(command)));
    expect(results.map(({ status }) => status === "fulfilled")).toEqual(
      writes.map((command) => command.type !== "create" || command.input.key.name !== "poison"),
    );
    const changes = await history(store);
    expect(changes.map(({ revision }) => revision)).toEqual(changes.map((__, i) => BigInt(i + 1)));
    expect(changes.filter(({ resource }) => resource.key.name === "poison")).toEqual([]);
    const { rows } = await admin.query("SELECT FROM resources WHERE name = 'poison'");
    expect(rows).toEqual([]);
  });
});

describe("a key that a writer of another log takes between our read and our write", () => {
  it("is read again and refused as taken; the rest of the batch is stored", async () => {
    const { url, drop } = await createDatabase();
    cleanups.push(drop);
    const shards = [0, 1].map((log) => ["a", "b", "c", "d"].find((shard) => logOf(shard, 2) === log) ?? "");
    const [first = "", second = ""] = shards;
    const openTwo = async () => {
      const store = await openStore({ databaseUrl: url, logCount: 2, onCommitted: async () => {} });
      cleanups.push(() => store.close());
      return store;
    };
    const [store, other] = [await openTwo(), await openTwo()];
    const slow = new pg.Client({ connectionString: url });
    await slow.connect();
    cleanups.push(() => slow.end());
    // Holds the first writer between its read and its insert until the second has committed.
    await slow.query(`
      CREATE FUNCTION wait_in_line() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.shard_id = '${first}' THEN PERFORM pg_advisory_xact_lock(1); END IF; RETURN NEW; END $$;
      CREATE TRIGGER waits BEFORE INSERT ON resources FOR EACH ROW EXECUTE FUNCTION wait_in_line();
      SELECT pg_advisory_lock(1)`);
    const late = Promise.allSettled(
      ["raced", "beside"].map((name) => store.sink.submit({ type: "create", input: thing(name, { shardId: first }) })),
    );
    await until(async () => {
      const { rows } = await slow.query(
        "SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))",
      );
      return rows.length > 0;
    });
    await other.sink.submit({ type: "create", input: thing("raced", { shardId: second }) });
    await slow.query("SELECT pg_advisory_unlock(1)");
    const [raced, beside] = await late;
    expect(raced).toMatchObject({ status: "rejected", reason: { reason: "ALREADY_EXISTS" } });
    expect(beside).toMatchObject({ status: "fulfilled", value: { outcome: "CREATED" } });
    expect((await store.reader.get(thingKey("raced")))?.shardId).toBe(second);
  });
});

describe("Postgres crashing under load", () => {
  it("loses no acknowledged write, leaves no gap, and is reconnected to (I10)", async () => {
    const cluster = await startPostgres();
    cleanups.push(() => cluster.remove());
    const store = await open(cluster.url);
    const acknowledged = new Set<string>();
    const failures: unknown[] = [];
    let isRunning = true;
    let next = 0;
    const writers = Array.from({ length: 32 }, async () => {
      while (isRunning) {
        const name = `n-${next++}`;
        await store.sink.submit({ type: "create", input: thing(name) }).then(
          () => acknowledged.add(name),
          (error: unknown) => failures.push(error),
        );
      }
    });
    await until(() => acknowledged.size > 300);
    await cluster.restart("immediate");
    const sizeAtRestart = acknowledged.size;
    await until(() => acknowledged.size > sizeAtRestart + 300, { timeoutMs: 20_000 });
    isRunning = false;
    await Promise.all(writers);
    const codes = failures.map((error) => (error instanceof DomainError ? error.code : String(error)));
    expect(codes.filter((code) => code !== "UNAVAILABLE" && code !== "DEADLINE_EXCEEDED")).toEqual([]);
    const changes = await history(store);
    const stored = new Set(changes.map(({ resource }) => resource.key.name));
    expect([...acknowledged].filter((name) => !stored.has(name))).toEqual([]);
    expect(changes.map(({ revision }) => revision)).toEqual(changes.map((_, i) => BigInt(i + 1)));
  });
});

describe("a writer that stops while it holds the log", () => {
  it("is cut off in seconds, so that others go on", async () => {
    const { url, drop } = await createDatabase();
    cleanups.push(drop);
    const store = await open(url);
    const paused = new pg.Client({ connectionString: url, options: "-c idle_in_transaction_session_timeout=3000" });
    // The server closes it; that is the point.
    paused.on("error", () => {});
    await paused.connect();
    await paused.query("BEGIN; SELECT 1 FROM log_heads FOR UPDATE");
    const results = await Promise.all(
      Array.from({ length: 5 }, async (_, i) => {
        for (;;) {
          try {
            return (await store.sink.submit({ type: "create", input: thing(`n-${i}`) })).outcome;
          } catch (error) {
            if (!(error instanceof DomainError) || error.code !== "UNAVAILABLE") throw error;
          }
        }
      }),
    );
    expect(results).toEqual(Array(5).fill("CREATED"));
    await paused.end().catch(() => {});
  });
});

describe("a backup that holds its locks", () => {
  it("stalls neither writes nor the making of partitions", async () => {
    const { url, drop } = await createDatabase();
    cleanups.push(drop);
    const store = await open(url);
    const dump = new pg.Client({ connectionString: url });
    await dump.connect();
    cleanups.push(() => dump.end());
    await dump.query("BEGIN; LOCK TABLE events, resources, work_items IN ACCESS SHARE MODE");
    const farAhead = 2_000_000;
    await new EventPartitions(store.database).ensure(farAhead);
    const { rows } = await dump.query("SELECT to_regclass($1) IS NOT NULL AS exists", [partitionName(farAhead)]);
    expect(rows).toEqual([{ exists: true }]);
    expect((await store.sink.submit({ type: "create", input: thing("meanwhile") })).outcome).toBe("CREATED");
    // Dropping has to wait for the backup; it gives way to writers instead.
    await expect(store.compactor.compact(48)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect((await store.sink.submit({ type: "create", input: thing("after") })).outcome).toBe("CREATED");
  });
});

describe("a connection whose other end vanished without a word", () => {
  it("is given up, so that its pool goes on", async () => {
    const { url, drop } = await createDatabase();
    cleanups.push(drop);
    const target = new URL(url);
    const proxy = await startTcpProxy({ host: target.hostname, port: Number(target.port) });
    cleanups.push(() => proxy.close());
    const proxied = new URL(url);
    proxied.port = String(proxy.port);
    const database = new Database({ url: proxied.href, poolSize: 1, queryTimeoutMs: 500 });
    cleanups.push(() => database.close());
    await database.query(PING);
    proxy.swallow();
    const lost = database.transaction((connection) => connection.query(PING));
    await expect(lost).rejects.toMatchObject({ code: "UNAVAILABLE", reason: "STORE_UNAVAILABLE" });
    expect(await database.query(PING)).toHaveLength(1);
  });
});

describe("small writes on large resources", () => {
  it("that are too much for one transaction are stored in several", async () => {
    const { url, drop } = await createDatabase();
    cleanups.push(drop);
    const store = await open(url);
    const slow = new pg.Client({ connectionString: url });
    await slow.connect();
    cleanups.push(() => slow.end());
    // Stands for a megabyte of each: PostgreSQL needs 80 ms per event, and a transaction has 5 s.
    await slow.query(`
      CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.08); RETURN NEW; END $$;
      CREATE TRIGGER slow BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION be_slow()`);
    const results = await Promise.all(
      Array.from({ length: 70 }, (_, i) => store.sink.submit({ type: "create", input: thing(`n-${i}`) })),
    );
    expect(results.map(({ outcome }) => outcome)).toEqual(Array(70).fill("CREATED"));
  });
});

describe("both replies of two COMMITs lost with a pool of two", () => {
  it("are found all the same", async () => {
    const { url, drop } = await createDatabase();
    cleanups.push(drop);
    const target = new URL(url);
    const proxy = await startTcpProxy({ host: target.hostname, port: Number(target.port) });
    cleanups.push(() => proxy.close());
    const proxied = new URL(url);
    proxied.port = String(proxy.port);
    const store = await openStore({
      databaseUrl: proxied.href,
      logCount: 2,
      poolSize: 2,
      commitConcurrency: 2,
      onCommitted: async () => {},
    });
    cleanups.push(() => store.close());
    const shards = [0, 1].map((log) => ["a", "b", "c", "d"].find((shard) => logOf(shard, 2) === log) ?? "");
    await Promise.all(
      shards.map((shardId) => store.sink.submit({ type: "create", input: thing(`warm-${shardId}`, { shardId }) })),
    );
    proxy.cutReplyTo("insert-created", 2);
    const writes = [];
    for (const shardId of shards) {
      writes.push(store.sink.submit({ type: "create", input: thing(`cut-${shardId}`, { shardId }) }));
      // The first is on its way before the second comes: two transactions.
      for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
    }
    const results = await Promise.all(writes);
    expect(proxy.hasCut()).toBe(true);
    expect(results.map(({ outcome }) => outcome)).toEqual(["CREATED", "CREATED"]);
  });
});

describe("a list of large resources", () => {
  it("is paged by size, and every page leads on", async () => {
    const { url, drop } = await createDatabase();
    cleanups.push(drop);
    const store = await open(url);
    const specJson = JSON.stringify("x".repeat(400_000));
    await Promise.all(
      Array.from({ length: 10 }, (_, i) => store.sink.submit({ type: "create", input: thing(`n-${i}`, { specJson }) })),
    );
    const sizes: number[] = [];
    for (let afterId: bigint | undefined = 0n; afterId !== undefined; ) {
      const query = { filter: {}, pendingOnly: false, afterId, offset: 0, limit: 500, maxBytes: 1_000_000 };
      const page = await store.reader.list(query);
      sizes.push(page.resources.length);
      afterId = page.nextAfterId;
    }
    expect(sizes).toEqual([2, 2, 2, 2, 2]);
    // However well it compresses on disk.
    expect((await store.log.read(0, ORIGIN, 500)).length).toBe(10);
  });
});
