import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ORIGIN } from "../../../src/resource/change.js";
import { FORCED_FINALIZERS_ANNOTATION } from "../../../src/resource/forced-finalizer.js";
import { keyId } from "../../../src/resource/key.js";
import { logOf } from "../../../src/resource/log-of.js";
import type { Resource } from "../../../src/resource/resource.js";
import { toWatchEvent } from "../../../src/state-manager/watch/event-filter.js";
import { thing, thingKey } from "../../support/things.js";
import { type Owners, openOwners, ownerOf, reasonOf } from "../owners/open-owners.js";

interface ItemRow {
  readonly wanted: bigint;
  readonly reason: string;
  readonly message: string;
  readonly due: boolean;
  readonly is_pending: boolean;
}

describe.each([1, 4])("owners in a store with %i log(s)", (logCount) => {
  let store: Owners;
  beforeAll(async () => {
    store = await openOwners(logCount, { isCollecting: false });
  });
  afterAll(() => store.close());

  const itemOf = async (name: string) =>
    (
      await store.sql<ItemRow>(
        "SELECT wanted, reason, message, due_at <= clock_timestamp() AS due, is_pending FROM work_items WHERE name = $1",
        [name],
      )
    )[0];
  const settle = (name: string) =>
    store.sink.submit({
      type: "update-status",
      key: thingKey(name),
      statusJson: '"seen"',
      observedGeneration: 1n,
      metadata: undefined,
      expected: {},
    });

  it("are stored, listed by, and shown in the log with what was before", async () => {
    const [a, b] = [await store.create("list-a"), await store.create("list-b")];
    const child = await store.create("list-child", { owner: a });
    expect(child.owner).toEqual(ownerOf(a));
    expect(await store.get("list-child")).toEqual(child);
    const listed = async (ownerUid: string) =>
      (
        await store.reader.list({
          filter: { ownerUid },
          pendingOnly: false,
          afterId: 0n,
          offset: 0,
          limit: 10,
          maxBytes: 1 << 20,
        })
      ).resources.map(({ key }) => key.name);
    expect([await listed(a.uid), await listed(b.uid)]).toEqual([["list-child"], []]);
    await store.write("list-child", { owner: ownerOf(b) });
    await store.write("list-child", { owner: null });
    expect([await listed(a.uid), await listed(b.uid)]).toEqual([[], []]);
    const log = logOf(child.shardId, logCount);
    const changes = (await store.log.read(log, ORIGIN, 1_000)).filter(({ resource }) => resource.uid === child.uid);
    const seenBy = (uid: string) => changes.map((change) => toWatchEvent({ ownerUid: uid }, change)?.type);
    expect(seenBy(a.uid)).toEqual(["ADDED", "DELETED", undefined]);
    expect(seenBy(b.uid)).toEqual([undefined, "ADDED", "DELETED"]);
  });

  it("must exist, also while the same batch makes and removes them", async () => {
    expect(await reasonOf(store.create("no-owner", { owner: { ...(await store.create("x")), uid: NOBODY } }))).toBe(
      "OWNER_NOT_FOUND",
    );
    const owner = { resourceGroup: "test", kind: "thing", name: "batch", uid: "" };
    const results = await Promise.all([
      reasonOf(store.sink.submit({ type: "create", input: thing("batch-early", { owner }) })),
      reasonOf(store.sink.submit({ type: "create", input: thing("batch") })),
      reasonOf(store.sink.submit({ type: "create", input: thing("batch-in-time", { owner }) })),
    ]);
    expect(results).toEqual(["OWNER_NOT_FOUND", "accepted", "accepted"]);
    const ending = [
      reasonOf(store.remove("batch")),
      reasonOf(store.sink.submit({ type: "create", input: thing("batch-late", { owner }) })),
    ];
    // With several logs the removal looks for its log first, and the creation may overtake it.
    expect(["OWNER_NOT_FOUND", ...(logCount > 1 ? ["accepted"] : [])]).toContain((await Promise.all(ending))[1]);
  });

  it("on their way out take no children, and leave those they have alone until they are collected", async () => {
    const owner = await store.create("going", { finalizers: ["f"] });
    await store.create("going-child", { owner });
    await store.create("going-free");
    await store.remove("going");
    expect(await reasonOf(store.create("going-late", { owner }))).toBe("OWNER_DELETING");
    expect(await reasonOf(store.write("going-free", { owner: ownerOf(owner) }))).toBe("OWNER_DELETING");
    // Sent back as it was read.
    const { resource } = await store.write("going-child", { owner: ownerOf(owner) });
    expect(resource).toMatchObject({ owner: ownerOf(owner), generation: 2n });
  });

  it("are due exactly once more for every change of a child, and not when nothing changed", async () => {
    const owner = await store.create("due");
    await settle("due");
    expect(await itemOf("due")).toBeUndefined();
    const child = await store.create("due-child", { owner, finalizers: ["f"] });
    expect(await itemOf("due")).toEqual({
      wanted: 1n,
      reason: "CHILD_CHANGED",
      message: "thing/due-child",
      due: true,
      is_pending: false,
    });
    const steps: (() => Promise<unknown>)[] = [
      () => settle("due-child"),
      () => store.write("due-child"),
      () => store.remove("due-child"),
      () => store.write("due-child", { finalizers: [] }),
    ];
    for (const [i, step] of steps.entries()) {
      await step();
      expect((await itemOf("due"))?.wanted).toBe(BigInt(i + 2));
    }
    expect(await store.get("due-child")).toBeUndefined();
    const again = await store.create("due-child", { owner });
    const before = (await itemOf("due"))?.wanted;
    const { outcome } = await store.sink.submit({
      type: "apply",
      input: thing("due-child", { shardId: child.shardId, owner: ownerOf(owner) }),
    });
    expect([outcome, (await itemOf("due"))?.wanted, again.owner]).toEqual(["UNCHANGED", before, ownerOf(owner)]);
  });

  it("old and new are due when a child changes hands", async () => {
    const [a, b] = [await store.create("hands-a"), await store.create("hands-b")];
    await store.create("hands-child", { owner: a });
    await Promise.all([settle("hands-a"), settle("hands-b")]);
    await store.write("hands-child", { owner: ownerOf(b) });
    expect([(await itemOf("hands-a"))?.reason, (await itemOf("hands-b"))?.reason]).toEqual([
      "CHILD_CHANGED",
      "CHILD_CHANGED",
    ]);
  });

  it("ring the doorbell for their kind", async () => {
    const rung = await openOwners(logCount);
    try {
      const owner = await rung.create("bell");
      await rung.create("bell-child", { owner });
      expect(
        await rung.sql("SELECT FROM work_items WHERE reason = 'CHILD_CHANGED' AND due_at IS NOT NULL"),
      ).toHaveLength(1);
    } finally {
      await rung.close();
    }
  });

  it("cannot belong to what they own, however two adoptions race", async () => {
    for (let round = 0; round < 20; round++) {
      const names = ["a", "b", "c"].map((name) => `cycle-${round}-${name}`);
      const made: Resource[] = [];
      for (const name of names) made.push(await store.create(name));
      const adopt = (child: number, owner: number) => {
        const [of, by] = [made[child], made[owner]];
        if (of === undefined || by === undefined) throw new Error("no such resource");
        return reasonOf(store.write(of.key.name, { owner: ownerOf(by) }));
      };
      const results = await Promise.all([adopt(0, 1), adopt(1, 2), adopt(2, 0)]);
      expect(results.toSorted()).toEqual(["OWNER_CYCLE", "accepted", "accepted"]);
    }
  });

  it("of many families written at once in all logs are never deadlocked for good", async () => {
    const parents = await Promise.all(Array.from({ length: 8 }, (_, i) => store.create(`many-${i}`)));
    const results = await Promise.all(
      Array.from({ length: 400 }, (_, i) => {
        const owner = parents[i % 8];
        // Parents are written too, in their own logs, while children are made and change theirs.
        if (i % 4 === 0) return reasonOf(store.write(`many-${i % 8}`));
        return reasonOf(store.create(`many-${i % 8}-${i}`, { owner }));
      }),
    );
    expect(new Set(results)).toEqual(new Set(["accepted"]));
  });

  it("forced finalizers are recorded in the event of the removal", async () => {
    const stuck = await store.create("stuck", { finalizers: ["gone/reconciler"] });
    await store.remove("stuck");
    const command = { type: "force-finalizer", key: stuck.key, message: "ops: it is gone", expected: {} } as const;
    expect(await reasonOf(store.sink.submit({ ...command, finalizer: "other" }))).toBe("FINALIZER_NOT_FOUND");
    const { outcome, resource } = await store.sink.submit({ ...command, finalizer: "gone/reconciler" });
    expect([outcome, resource?.finalizers]).toEqual(["REMOVED", []]);
    const last = (await store.log.read(logOf(stuck.shardId, logCount), ORIGIN, 2_000))
      .filter((change) => keyId(change.resource.key) === keyId(stuck.key))
      .at(-1);
    expect(last?.type).toBe("DELETED");
    expect(JSON.parse(last?.resource.annotations.get(FORCED_FINALIZERS_ANNOTATION) ?? "[]")).toMatchObject([
      { finalizer: "gone/reconciler", message: "ops: it is gone" },
    ]);
  });
});

const NOBODY = "00000000-0000-4000-8000-000000000000";
