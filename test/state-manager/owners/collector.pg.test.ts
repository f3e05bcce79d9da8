import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FOREGROUND_FINALIZER, ORPHAN_FINALIZER } from "../../../src/resource/server-finalizers.js";
import { thingKey } from "../../support/things.js";
import { until } from "../../support/until.js";
import { type Owners, openOwners, ownerOf, reasonOf } from "./open-owners.js";

describe.each([1, 4])("the deletion of an owner, with %i log(s),", (logCount) => {
  let owners: Owners;
  beforeAll(async () => {
    owners = await openOwners(logCount);
  });
  afterAll(() => owners.close());

  const isGone = (name: string) => until(async () => (await owners.get(name)) === undefined, { what: `${name} goes` });
  const isMarked = (name: string) => until(async () => (await owners.get(name))?.deletionRequestedAt);
  const isDone = () => until(async () => (await owners.collections()) === 0, { what: "no collection is left" });

  it("removes its children and what these own, without waiting", async () => {
    const top = await owners.create("bg");
    const middle = await owners.create("bg-1", { owner: top });
    const lower = await owners.create("bg-1-1", { owner: middle });
    await owners.create("bg-1-1-1", { owner: lower });
    await owners.create("bg-2", { owner: top });
    expect((await owners.remove("bg")).outcome).toBe("REMOVED");
    for (const name of ["bg-1", "bg-1-1", "bg-1-1-1", "bg-2"]) await isGone(name);
    await isDone();
  });

  it("leaves no collection behind when it has no children", async () => {
    await owners.create("alone");
    await owners.remove("alone");
    expect(await owners.collections()).toBe(0);
  });

  it("requested, deletes the children while a finalizer of a reconciler that is gone still holds the owner", async () => {
    const top = await owners.create("held", { finalizers: ["gone/reconciler"] });
    await owners.create("held-1", { owner: top });
    await owners.create("held-2", { owner: top, finalizers: ["live/reconciler"] });
    expect((await owners.remove("held")).outcome).toBe("DELETION_REQUESTED");
    await isGone("held-1");
    await isMarked("held-2");
    await isDone();
    expect(await owners.get("held")).toMatchObject({ finalizers: ["gone/reconciler"] });
  });

  it("by any write that drops the last finalizer counts too", async () => {
    const top = await owners.create("put", { finalizers: ["a"] });
    await owners.create("put-1", { owner: top });
    await owners.remove("put", "BACKGROUND");
    await owners.write("put", { finalizers: [] });
    expect(await owners.get("put")).toBeUndefined();
    await isGone("put-1");
  });

  it("in the foreground waits for the last child, and that for what it owns", async () => {
    const top = await owners.create("fg");
    const middle = await owners.create("fg-1", { owner: top });
    await owners.create("fg-1-1", { owner: middle, finalizers: ["busy"] });
    await owners.create("fg-2", { owner: top });
    const { outcome, resource } = await owners.remove("fg", "FOREGROUND");
    expect([outcome, resource?.finalizers]).toEqual(["DELETION_REQUESTED", [FOREGROUND_FINALIZER]]);
    await isGone("fg-2");
    await isMarked("fg-1-1");
    expect(await owners.get("fg-1")).toMatchObject({ finalizers: [FOREGROUND_FINALIZER] });
    expect(await owners.get("fg")).toMatchObject({ finalizers: [FOREGROUND_FINALIZER] });
    await owners.write("fg-1-1", { finalizers: [] });
    for (const name of ["fg-1", "fg"]) await isGone(name);
    await isDone();
  });

  it("in the foreground goes through without children", async () => {
    await owners.create("fg-alone");
    await owners.remove("fg-alone", "FOREGROUND");
    await isGone("fg-alone");
    await isDone();
  });

  it("as orphans keeps the children, without their owner", async () => {
    const top = await owners.create("orphan");
    const names = Array.from({ length: 150 }, (_, i) => `orphan-${i}`);
    await Promise.all(names.map((name) => owners.create(name, { owner: top })));
    const { resource } = await owners.remove("orphan", "ORPHAN");
    expect(resource?.finalizers).toEqual([ORPHAN_FINALIZER]);
    await isGone("orphan");
    await isDone();
    for (const name of names) {
      expect(await owners.get(name)).toMatchObject({ owner: null, deletionRequestedAt: null, generation: 1n });
    }
  });

  it("is decided by its first request", async () => {
    const top = await owners.create("first", { finalizers: ["a"] });
    await owners.create("first-1", { owner: top, finalizers: ["a"] });
    await owners.remove("first", "ORPHAN");
    await until(async () => (await owners.get("first-1"))?.owner === null);
    await owners.remove("first", "FOREGROUND");
    await isDone();
    expect(await owners.get("first-1")).toMatchObject({ deletionRequestedAt: null });
    expect((await owners.get("first"))?.finalizers).toEqual(["a"]);
  });

  it("spares a child that another owner adopted meanwhile", async () => {
    const [old, next] = [await owners.create("spare-old"), await owners.create("spare-new")];
    const child = await owners.create("spare-child", { owner: old });
    await owners.write("spare-child", { owner: ownerOf(next) });
    const late = { type: "collect", key: child.key, uid: child.uid, ownerUid: old.uid } as const;
    expect(await owners.sink.submit({ ...late, propagation: "BACKGROUND" })).toMatchObject({ outcome: "UNCHANGED" });
    await owners.remove("spare-old");
    expect(await owners.get("spare-child")).toMatchObject({ owner: ownerOf(next), deletionRequestedAt: null });
  });

  it("forced past the foreground hold goes on in the background", async () => {
    const top = await owners.create("forced");
    await owners.create("forced-1", { owner: top, finalizers: ["stuck"] });
    await owners.remove("forced", "FOREGROUND");
    const force = { type: "force-finalizer", expected: {}, message: "ops: stuck" } as const;
    await isMarked("forced-1");
    const gone = await owners.sink.submit({ ...force, key: thingKey("forced"), finalizer: FOREGROUND_FINALIZER });
    expect(gone.outcome).toBe("REMOVED");
    await isDone();
    expect(await owners.get("forced-1")).toBeDefined();
    await owners.sink.submit({ ...force, key: thingKey("forced-1"), finalizer: "stuck" });
    expect(await owners.get("forced-1")).toBeUndefined();
  });

  it("during the birth of 200 children by several writers leaves no child without a live owner", async () => {
    for (let round = 0; round < 3; round++) {
      const top = await owners.create(`race-${round}`);
      const births = Array.from({ length: 200 }, (_, i) =>
        reasonOf(owners.create(`race-${round}-${i}`, { owner: top, shardId: `shard-${i % 16}` })),
      );
      // In the middle of them: some are in, others come too late.
      await until(async () => (await owners.sql("SELECT FROM resources WHERE owner_uid = $1 LIMIT 1", [top.uid]))[0]);
      await owners.remove(`race-${round}`);
      const reasons = new Set(await Promise.all(births));
      expect([...reasons].filter((reason) => reason !== "accepted" && reason !== "OWNER_NOT_FOUND")).toEqual([]);
    }
    await until(async () => (await owners.waifs()) === 0, { what: "nobody is left without an owner" });
    await isDone();
  });
});

it("is gone on with by whoever looks next, when the process that did it died", async () => {
  const owners = await openOwners(1, { isCollecting: false });
  try {
    const top = await owners.create("top");
    await Promise.all(Array.from({ length: 20 }, (_, i) => owners.create(`child-${i}`, { owner: top })));
    await owners.remove("top");
    // Nobody collected: what is to be done stands in the store alone.
    expect([await owners.waifs(), await owners.collections()]).toEqual([20, 1]);
    owners.collector.look();
    await until(async () => (await owners.collections()) === 0);
    expect(await owners.waifs()).toBe(0);
  } finally {
    await owners.close();
  }
});
