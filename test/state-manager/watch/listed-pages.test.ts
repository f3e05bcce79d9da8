import { describe, expect, it } from "vitest";
import type { Change } from "../../../src/resource/change.js";
import { hasReason } from "../../../src/resource/errors.js";
import { matchesSelector } from "../../../src/resource/label-selector.js";
import { logOf } from "../../../src/resource/log-of.js";
import type { Resource } from "../../../src/resource/resource.js";
import type { ResourceFilter } from "../../../src/resource/resource-filter.js";
import { toWatchEvent } from "../../../src/state-manager/watch/event-filter.js";
import { ListedPages } from "../../../src/state-manager/watch/listed-pages.js";
import { makeResource, TestHistory } from "../../support/changes.js";
import { Random } from "../../support/seed.js";

const SHARDS = ["s0", "s1", "s2", "s3"];
const TIERS = ["web", "api", "db"];

/** A store in memory: states and logs, changed by random writes. */
class ModelStore {
  readonly logs: readonly TestHistory[];
  readonly resources = new Map<bigint, Resource>();
  readonly #random: Random;
  #lastId = 0n;

  constructor(logCount: number, random: Random) {
    this.logs = Array.from({ length: logCount }, (_, log) => new TestHistory(log));
    this.#random = random;
  }

  get heads() {
    return this.logs.map((log) => log.head);
  }

  write(): void {
    const ids = [...this.resources.keys()];
    const target = this.resources.get(ids[this.#random.below(ids.length)] ?? 0n);
    const dice = this.#random.below(10);
    if (target === undefined || dice < 2) this.#create();
    else if (dice < 6) this.#change(target, { labels: new Map([["tier", this.#random.pick(TIERS)]]) });
    else if (dice < 8) this.#move(target);
    else this.#delete(target, null);
  }

  list(filter: ResourceFilter, afterId: bigint, limit: number) {
    const all = [...this.resources.values()].filter((each) => each.id > afterId && matches(filter, each));
    const page = all.sort((a, b) => Number(a.id - b.id)).slice(0, limit);
    return { page, nextAfterId: all.length > limit ? page.at(-1)?.id : undefined, heads: this.heads };
  }

  #create(): void {
    const shardId = this.#random.pick(SHARDS);
    this.#lastId += 1n;
    this.#append(
      "ADDED",
      makeResource({ id: this.#lastId, shardId, labels: new Map([["tier", this.#random.pick(TIERS)]]) }),
      undefined,
    );
  }

  #change(before: Resource, fields: Partial<Resource>): void {
    this.#append("MODIFIED", { ...before, ...fields }, before);
  }

  #move(before: Resource): void {
    const shardId = this.#random.pick(SHARDS);
    if (shardId === before.shardId) return;
    this.#delete(before, shardId);
    this.#append("ADDED", { ...before, shardId, labels: new Map([["tier", this.#random.pick(TIERS)]]) }, undefined);
  }

  #delete(before: Resource, movedTo: string | null): void {
    this.#append("DELETED", before, before, movedTo);
    this.resources.delete(before.id);
  }

  #append(type: Change["type"], resource: Resource, before: Resource | undefined, movedTo: string | null = null): void {
    const change = this.logs[logOf(resource.shardId, this.logs.length)]?.append({
      type,
      resource,
      previousLabels: before?.labels ?? null,
      previousRevision: before?.revision ?? 0n,
      movedTo,
    });
    if (change !== undefined) this.resources.set(resource.id, change.resource);
  }
}

function matches(filter: ResourceFilter, resource: Resource): boolean {
  const inShard = filter.shardId === undefined || filter.shardId === resource.shardId;
  return inShard && (filter.labels === undefined || matchesSelector(filter.labels, resource.labels));
}

/** A client that finds every event that does not fit what it was told before. */
class StrictClient {
  readonly states = new Map<string, bigint>();

  apply(type: Change["type"], resource: Resource): void {
    const id = `${resource.id}@${resource.shardId}`;
    expect([id, type, this.states.has(id)]).toEqual([id, type, type !== "ADDED"]);
    if (type === "DELETED") this.states.delete(id);
    else this.states.set(id, resource.revision);
  }
}

function runOnce(seed: number, logCount: number, filter: ResourceFilter): void {
  const random = new Random(seed);
  const store = new ModelStore(logCount, random);
  const writeSome = (below: number) => {
    for (let count = random.below(below); count > 0; count--) store.write();
  };
  writeSome(60);

  const client = new StrictClient();
  const start = store.heads;
  const pages = new ListedPages(start);
  for (let afterId: bigint | undefined = 0n; afterId !== undefined; ) {
    writeSome(6);
    const { page, nextAfterId, heads } = store.list(filter, afterId, 1 + random.below(4));
    pages.add(nextAfterId, heads);
    for (const resource of page) {
      const position = start[logOf(resource.shardId, logCount)];
      if (position !== undefined && resource.revision <= position.revision) client.apply("ADDED", resource);
    }
    afterId = nextAfterId;
  }
  writeSome(6);

  // Logs are replayed in any order among each other: the sets at the end must not depend on it.
  const queues = store.logs.map((log, i) => log.changes.slice(Number(start[i]?.revision ?? 0n)));
  for (
    let open = queues.filter((queue) => queue.length > 0);
    open.length > 0;
    open = open.filter((queue) => queue.length > 0)
  ) {
    const change = random.pick(open).shift();
    if (change === undefined) continue;
    pages.assertSameHistory(change);
    const event = toWatchEvent(filter, change, pages.hasBefore(change));
    if (event !== undefined && "resource" in event) client.apply(event.type, event.resource);
  }

  const expected = [...store.resources.values()].filter((resource) => matches(filter, resource));
  expect(new Map([...client.states].sort())).toEqual(
    new Map(expected.map((each) => [`${each.id}@${each.shardId}`, each.revision] as const).sort()),
  );
}

describe("ListedPages", () => {
  const web: ResourceFilter = { labels: { requirements: [{ key: "tier", values: ["web"] }] } };
  it.each([
    ["everything", {}],
    ["a label selector", web],
    ["a shard", { shardId: "s1" }],
    ["a shard and a label selector", { ...web, shardId: "s2" }],
  ])("lets a client reach the exact state while others write, watching %s (I2, I3)", (_, filter) => {
    for (const logCount of [1, 3]) for (let seed = 1; seed <= 400; seed++) runOnce(seed, logCount, filter);
  });

  it("refuses pages and changes of another history", () => {
    const history = new TestHistory();
    history.appendMany(10);
    const fork = history.forkAt(5);
    fork.appendMany(10);
    const lost = (error: unknown) => hasReason(error, "LINEAGE_LOST");

    const shorter = new ListedPages([history.positionAt(8)]);
    expect(() => shorter.add(undefined, [fork.positionAt(6)])).toThrow(expect.toSatisfy(lost));
    const sameNumber = new ListedPages([history.positionAt(8)]);
    expect(() => sameNumber.add(undefined, [fork.positionAt(8)])).toThrow(expect.toSatisfy(lost));

    const pages = new ListedPages([history.positionAt(4)]);
    pages.add(1n, [history.positionAt(7)]);
    pages.add(undefined, [fork.positionAt(12)]);
    for (const change of fork.changes.slice(4, 6)) pages.assertSameHistory(change);
    const [contradicting] = fork.changes.slice(6);
    if (contradicting === undefined) throw new Error("the fork is too short");
    expect(() => pages.assertSameHistory(contradicting)).toThrow(expect.toSatisfy(lost));
  });
});
