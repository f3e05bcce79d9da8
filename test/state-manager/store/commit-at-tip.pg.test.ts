import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Change, ORIGIN, type Position } from "../../../src/resource/change.js";
import type { CommittedBatch } from "../../../src/state-manager/log/change-log.js";
import { createMetrics } from "../../../src/state-manager/observability/metrics.js";
import { openStore, type PostgresStore } from "../../../src/state-manager/store/postgres-store.js";
import { createDatabase } from "../../support/postgres.js";
import { thing, thingKey } from "../../support/things.js";

/** A replica, how often it has read keys before it wrote, and what it has handed over. */
interface Replica extends PostgresStore {
  reads(): Promise<number>;
  readonly committed: readonly Change[];
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
  const committed: Change[] = [];
  const onCommitted = async ({ changes }: CommittedBatch) => void committed.push(...changes);
  const store = await openStore({ databaseUrl, metrics, onCommitted });
  cleanups.push(() => store.close());
  const reads = async () => {
    const { values } = await metrics.postgresStatements.get();
    return values.find(({ labels }) => labels.statement === "read-resources-by-key")?.value ?? 0;
  };
  return { ...store, reads, committed };
}

const create = (store: PostgresStore, name: string) => store.sink.submit({ type: "create", input: thing(name) });

async function historyOf(store: PostgresStore): Promise<readonly Change[]> {
  const changes: Change[] = [];
  for (let after: Position = ORIGIN; ; after = changes.at(-1) ?? ORIGIN) {
    const page = await store.log.read(0, after, 500);
    if (page.length === 0) return changes;
    changes.push(...page);
  }
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

  it("reads nothing first behind batches that do not create, or that write nothing", async () => {
    const [one] = replicas;
    const { resource } = await create(one, "first");
    const update = { type: "update", input: thing("first", { specJson: "1" }), expected: {} } as const;
    await one.sink.submit(update);
    await create(one, "second");
    await one.sink.submit({ type: "apply", input: thing("second") });
    await create(one, "third");
    // The first of the store, the update and the apply.
    expect(await one.reads()).toBe(3);
    const third = await one.reader.get(thingKey("third"));
    expect(third?.id).toBeGreaterThan(resource?.id ?? 0n);
  });

  it("draws no id below those that another replica has used meanwhile", async () => {
    const [one, other] = replicas;
    const ids: bigint[] = [];
    for (const [i, replica] of [one, other, one, one, other, one].entries()) {
      const { resource } = await create(replica, `r${i}`);
      ids.push(resource?.id ?? 0n);
      await replica.sink.submit({ type: "apply", input: thing(`r${i}`, { specJson: "1" }) });
    }
    expect(ids).toEqual(ids.toSorted((a, b) => (a < b ? -1 : 1)));
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

  it("is sent behind one that is not in yet, and handed over behind it", async () => {
    const [one] = replicas;
    await create(one, "first");
    const names = Array.from({ length: 2_000 }, (_, i) => `r${i}`);
    // As many at once as make two batches: while one is under way, the other gathers.
    await inLanes(40, names, (name) => create(one, name));
    // The first, and one that grew beyond the ids drawn ahead: messages on one connection do not overtake each other.
    expect(await one.reads()).toBeLessThan(10);
    expect(one.committed.map(({ revision }) => revision)).toEqual(
      Array.from({ length: 2_001 }, (_, i) => BigInt(i + 1)),
    );
    expect(one.committed).toEqual(await historyOf(one));
  });

  it("stands in the log once for every answer, while two replicas fight for the same names (I1, I2)", async () => {
    const names = Array.from({ length: 1_500 }, (_, i) => `r${(i * 7) % 1_000}`);
    const created = await Promise.all(
      replicas.map(async (replica) => {
        const own: string[] = [];
        await inLanes(40, names, async (name) => {
          const outcome = await create(replica, name).then(
            (result) => result.outcome,
            (error: { code?: string }) => error.code,
          );
          expect(["CREATED", "ALREADY_EXISTS"]).toContain(outcome);
          if (outcome === "CREATED") own.push(name);
        });
        return own;
      }),
    );
    const changes = await historyOf(replicas[0]);
    expect(changes.map(({ revision }) => revision)).toEqual(changes.map((_, i) => BigInt(i + 1)));
    expect(changes.map(({ resource }) => resource.key.name).sort()).toEqual(created.flat().sort());
    expect(new Set(created.flat()).size).toBe(1_000);
    for (const { committed } of replicas) {
      const revisions = committed.map(({ revision }) => revision);
      expect(revisions).toEqual([...revisions].sort((a, b) => (a < b ? -1 : 1)));
    }
  });
});

/** Runs `work` for every name, `lanes` at a time. */
async function inLanes(
  lanes: number,
  names: readonly string[],
  work: (name: string) => Promise<unknown>,
): Promise<void> {
  const left = names.values();
  const lane = async () => {
    for (const name of left) await work(name);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
