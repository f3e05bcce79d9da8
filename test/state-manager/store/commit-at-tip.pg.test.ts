import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Change } from "../../../src/resource/change.js";
import { createMetrics } from "../../../src/state-manager/observability/metrics.js";
import { openStore, type PostgresStore } from "../../../src/state-manager/store/postgres-store.js";
import { createDatabase } from "../../support/postgres.js";
import { thing, thingKey } from "../../support/things.js";

/** A replica, and how often it has read keys before it wrote. */
interface Replica extends PostgresStore {
  reads(): Promise<number>;
}

let replicas: readonly [Replica, Replica];
const cleanups: (() => Promise<void>)[] = [];
beforeEach(async () => {
  const { url, drop } = await createDatabase();
  cleanups.push(drop);
  replicas = [await open(url), await open(url)];
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function open(databaseUrl: string): Promise<Replica> {
  const metrics = createMetrics();
  const store = await openStore({ databaseUrl, metrics, onCommitted: async () => {} });
  cleanups.push(() => store.close());
  const reads = async () => {
    const { values } = await metrics.postgresStatements.get();
    return values.find(({ labels }) => labels.statement === "read-resources-by-key")?.value ?? 0;
  };
  return { ...store, reads };
}

const create = (store: PostgresStore, name: string) => store.sink.submit({ type: "create", input: thing(name) });

async function historyOf(store: PostgresStore): Promise<readonly Change[]> {
  return store.log.read(0, { revision: 0n, fingerprint: 0n }, 500);
}

describe("a batch that only creates", () => {
  it("reads nothing first while nobody else writes to the log", async () => {
    const [one] = replicas;
    for (let i = 0; i < 5; i++) await create(one, `own-${i}`);
    expect(await one.reads()).toBe(1);
    expect((await historyOf(one)).map(({ revision }) => revision)).toEqual([1n, 2n, 3n, 4n, 5n]);
  });

  it("goes on behind what another replica wrote meanwhile (I2)", async () => {
    const [one, other] = replicas;
    for (let i = 0; i < 4; i++) {
      await create(one, `one-${i}`);
      await create(other, `other-${i}`);
    }
    const changes = await historyOf(one);
    expect(changes.map(({ revision }) => revision)).toEqual(changes.map((_, i) => BigInt(i + 1)));
    expect(changes.slice(1).map(({ previousFingerprint }) => previousFingerprint)).toEqual(
      changes.slice(0, -1).map(({ fingerprint }) => fingerprint),
    );
    const ids = changes.map(({ resource }) => resource.id);
    expect(ids).toEqual([...ids].sort((a, b) => (a < b ? -1 : 1)));
  });

  it("is never ahead of the database clock, or a reconciler would be woken before the work is due", async () => {
    const [one] = replicas;
    for (let i = 0; i < 5; i++) {
      const { resource } = await create(one, `early-${i}`);
      const [row] = await one.database.query<{ now: Date }>({ name: "clock", text: "SELECT clock_timestamp() AS now" });
      expect(resource?.createdAt.getTime()).toBeLessThanOrEqual(row?.now.getTime() ?? 0);
    }
  });

  it("refuses a name that is taken, also in the same batch, and stores the others", async () => {
    const [one] = replicas;
    await create(one, "taken");
    const names = ["new-1", "taken", "new-2", "new-2"];
    const results = await Promise.allSettled(names.map((name) => create(one, name)));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected"]);
    expect(results[1]).toMatchObject({ reason: { code: "ALREADY_EXISTS" } });
    expect((await historyOf(one)).map(({ resource }) => resource.key.name)).toEqual(["taken", "new-1", "new-2"]);
    // It is wary for a while, and right all the same.
    await create(one, "later");
    expect((await one.reader.get(thingKey("later")))?.revision).toBe(4n);
  });
});
