import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Change, ORIGIN, type Position } from "../../../src/resource/change.js";
import { hasReason } from "../../../src/resource/errors.js";
import { logOf } from "../../../src/resource/log-of.js";
import { openTestStore, type TestStore } from "../../support/store.js";
import { thing, thingKey } from "../../support/things.js";

const everything = { filter: {}, pendingOnly: false, afterId: 0n, offset: 0, limit: 500, maxBytes: 1 << 24 };

async function history(store: TestStore, log: number): Promise<Change[]> {
  const changes: Change[] = [];
  for (let after: Position = ORIGIN; ; ) {
    const page = await store.log.read(log, after, 100);
    changes.push(...page);
    const last = page.at(-1);
    if (last === undefined) return changes;
    after = last;
  }
}

function reasonOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "accepted",
    (error: unknown) => (error instanceof Error && "reason" in error ? String(error.reason) : String(error)),
  );
}

describe.each([1, 4])("a store with %i log(s)", (logCount) => {
  let store: TestStore;
  beforeAll(async () => {
    store = await openTestStore({ logCount });
  });
  afterAll(() => store.close());

  it("stores what was created, with the payload as it was written", async () => {
    const specJson = '{ "b": 9007199254740993, "a": 0.1000000000000000055511151231257827, "1": 1e3 }';
    const { outcome, resource } = await store.sink.submit({
      type: "create",
      input: thing("exact", { specJson, labels: new Map([["__proto__", "x"]]), annotations: new Map([["n", "v"]]) }),
    });
    expect(outcome).toBe("CREATED");
    const read = await store.reader.get(thingKey("exact"));
    expect(read).toEqual(resource);
    expect(read?.specJson).toBe(specJson);
    expect(read?.labels.get("__proto__")).toBe("x");
    expect(read).toMatchObject({ generation: 1n, observedGeneration: 0n, statusJson: null });
  });

  it("gives every command of a racing group its own outcome", async () => {
    const results = await Promise.all(
      Array.from({ length: 50 }, () => reasonOf(store.sink.submit({ type: "create", input: thing("raced") }))),
    );
    expect(results.filter((result) => result === "accepted")).toHaveLength(1);
    expect(results.filter((result) => result === "ALREADY_EXISTS")).toHaveLength(49);
  });

  it("lets one of two writers win that race for a name from different shards", async () => {
    for (let round = 0; round < 20; round++) {
      const results = await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          reasonOf(store.sink.submit({ type: "create", input: thing(`cross-${round}`, { shardId: `shard-${i}` }) })),
        ),
      );
      expect(results.filter((result) => result === "accepted")).toHaveLength(1);
    }
  });

  it("numbers each log without gaps and chains the fingerprints (I2)", async () => {
    await Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        await store.sink.submit({ type: "create", input: thing(`chain-${i}`, { shardId: `shard-${i % 16}` }) });
        await store.sink.submit({
          type: "update",
          input: thing(`chain-${i}`, { shardId: `shard-${(i + 1) % 16}`, specJson: String(i) }),
          expected: {},
        });
      }),
    );
    const extents = await store.log.extents();
    expect(extents).toHaveLength(logCount);
    for (let log = 0; log < logCount; log++) {
      const changes = await history(store, log);
      let previous: Position = ORIGIN;
      for (const change of changes) {
        expect(change.revision).toBe(previous.revision + 1n);
        expect(change.previousFingerprint).toBe(previous.fingerprint);
        expect(logOf(change.resource.shardId, logCount)).toBe(log);
        previous = change;
      }
      expect(extents[log]?.head).toEqual({ revision: previous.revision, fingerprint: previous.fingerprint });
    }
  });

  it("hands over exactly the committed changes, in the order of each log", async () => {
    for (let log = 0; log < logCount; log++) {
      const handedOver = store.committed.flatMap(({ changes }) => changes).filter((change) => change.log === log);
      expect(handedOver.toSorted((a, b) => Number(a.revision - b.revision))).toEqual(await history(store, log));
      if (logCount === 1)
        expect(handedOver.map(({ revision }) => revision)).toEqual(handedOver.map((_, i) => BigInt(i + 1)));
    }
  });

  it("makes a move to another shard DELETED with its target, then ADDED", async () => {
    await store.sink.submit({ type: "create", input: thing("mover", { shardId: "shard-1" }) });
    const moved = await store.sink.submit({
      type: "update",
      input: thing("mover", { shardId: "shard-2" }),
      expected: {},
    });
    const changes = store.committed.at(-1)?.changes ?? [];
    expect(changes.map(({ type, movedTo }) => [type, movedTo])).toEqual([
      ["DELETED", "shard-2"],
      ["ADDED", null],
    ]);
    expect(moved.resource?.revision).toBe(changes[1]?.revision);
    expect((await store.reader.get(thingKey("mover")))?.shardId).toBe("shard-2");
  });

  it("refuses a write over a revision that is not the stored one", async () => {
    const { resource } = await store.sink.submit({ type: "create", input: thing("guarded") });
    const stale = (resource?.revision ?? 0n) - 1n;
    const write = (revision: bigint) =>
      reasonOf(store.sink.submit({ type: "update", input: thing("guarded"), expected: { revision } }));
    expect(await write(stale)).toBe("REVISION_CONFLICT");
    expect(await write(resource?.revision ?? 0n)).toBe("accepted");
  });

  it("applies without a write and without an event when nothing differs", async () => {
    const input = thing("applied", { specJson: '{"a": 1}' });
    expect((await store.sink.submit({ type: "apply", input })).outcome).toBe("CREATED");
    const before = await store.log.extents();
    expect((await store.sink.submit({ type: "apply", input: { ...input, specJson: '{"a":1}' } })).outcome).toBe(
      "UNCHANGED",
    );
    expect(await store.log.extents()).toEqual(before);
    expect((await store.sink.submit({ type: "apply", input: { ...input, specJson: '{"a":2}' } })).outcome).toBe(
      "UPDATED",
    );
  });

  it("keeps a resource until its last finalizer goes and never takes the deletion back (I5)", async () => {
    await store.sink.submit({ type: "create", input: thing("held", { finalizers: ["f"] }) });
    const remove = { type: "delete", key: thingKey("held"), expected: {} } as const;
    const first = await store.sink.submit(remove);
    expect(first).toMatchObject({ outcome: "DELETION_REQUESTED", resource: { generation: 2n } });
    const again = await store.sink.submit(remove);
    expect(again.resource).toEqual(first.resource);
    const kept = await store.sink.submit({ type: "update", input: thing("held", { finalizers: ["f"] }), expected: {} });
    expect(kept.resource?.deletionRequestedAt).toEqual(first.resource?.deletionRequestedAt);
    const gone = await store.sink.submit({ type: "update", input: thing("held"), expected: {} });
    expect(gone.outcome).toBe("REMOVED");
    expect(await store.reader.get(thingKey("held"))).toBeUndefined();
    expect(await reasonOf(store.sink.submit(remove))).toBe("NOT_FOUND");
  });

  it("answers pending from the queue, settled by a status that catches up", async () => {
    const pending = async () =>
      (await store.reader.list({ ...everything, pendingOnly: true, filter: { kind: "thing", name: "todo" } }))
        .resources;
    await store.sink.submit({ type: "create", input: thing("todo") });
    expect(await pending()).toHaveLength(1);
    await store.sink.submit({
      type: "update-status",
      key: thingKey("todo"),
      statusJson: '{"ok":true}',
      observedGeneration: 1n,
      metadata: undefined,
      expected: {},
    });
    expect(await pending()).toHaveLength(0);
    await store.sink.submit({ type: "update", input: thing("todo"), expected: {} });
    expect(await pending()).toHaveLength(1);
  });

  it("refuses an observed generation above the stored one (I6)", async () => {
    await store.sink.submit({ type: "create", input: thing("eager") });
    const write = store.sink.submit({
      type: "update-status",
      key: thingKey("eager"),
      statusJson: null,
      observedGeneration: 2n,
      metadata: undefined,
      expected: {},
    });
    expect(await reasonOf(write)).toBe("OBSERVED_GENERATION_AHEAD");
  });

  it("lists everything once in creation order, page by page, with labels from the index", async () => {
    await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        store.sink.submit({
          type: "create",
          input: thing(`listed-${i}`, {
            labels: new Map([["tier", i % 3 === 0 ? "web" : "api"]]),
            shardId: `shard-${i % 5}`,
          }),
        }),
      ),
    );
    const names: string[] = [];
    for (let afterId: bigint | undefined = 0n; afterId !== undefined; ) {
      const page = await store.reader.list({
        ...everything,
        filter: { labels: { requirements: [{ key: "tier", values: ["web", "none"] }] } },
        afterId,
        limit: 7,
      });
      expect(page.heads).toHaveLength(logCount);
      names.push(...page.resources.map(({ key }) => key.name));
      afterId = page.nextAfterId;
    }
    expect(names).toHaveLength(20);
    expect(new Set(names).size).toBe(20);
  });

  it("stores the rest of a batch around one poisonous item", async () => {
    // The domain refuses such text; here it shows that PostgreSQL's refusal hits only the guilty one.
    const inputs = [thing("good-1"), thing("poison", { specJson: "{not json" }), thing("good-2"), thing("good-3")];
    const results = await Promise.all(inputs.map((input) => reasonOf(store.sink.submit({ type: "create", input }))));
    expect(results.map((result) => result === "accepted")).toEqual([true, false, true, true]);
    expect(await store.reader.get(thingKey("poison"))).toBeUndefined();
    expect(await store.reader.get(thingKey("good-3"))).toBeDefined();
  });

  it("refuses a position older than the floor and one of another lineage (I4)", async () => {
    const before = await store.log.extents();
    const head = before[0]?.head ?? ORIGIN;
    await expect(store.log.read(0, { ...head, fingerprint: head.fingerprint + 1n }, 10)).rejects.toSatisfy((error) =>
      hasReason(error, "LINEAGE_LOST"),
    );
    await expect(store.log.read(0, { ...head, revision: head.revision + 5n }, 10)).rejects.toSatisfy((error) =>
      hasReason(error, "LINEAGE_LOST"),
    );
    expect(await store.compactor.compact(48)).toBeGreaterThan(0);
    expect((await store.log.extents())[0]).toEqual({ floor: head, head });
    expect(await store.log.read(0, head, 10)).toEqual([]);
    await expect(store.log.read(0, ORIGIN, 10)).rejects.toSatisfy((error) => hasReason(error, "COMPACTED"));
  });

  it("goes on numbering after its whole history was compacted", async () => {
    const heads = (await store.log.extents()).map(({ head }) => head);
    const { resource } = await store.sink.submit({ type: "create", input: thing("after-compaction") });
    const log = logOf("s1", logCount);
    expect(resource?.revision).toBe((heads[log]?.revision ?? 0n) + 1n);
  });
});
