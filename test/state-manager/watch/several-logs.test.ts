import { describe, expect, it } from "vitest";
import type { Change } from "../../../src/resource/change.js";
import type { Command } from "../../../src/resource/command.js";
import type { KeyState } from "../../../src/resource/decide.js";
import { keyId } from "../../../src/resource/key.js";
import { logOf } from "../../../src/resource/log-of.js";
import type { Resource } from "../../../src/resource/resource.js";
import type { ResourceFilter } from "../../../src/resource/resource-filter.js";
import { BatchDraft } from "../../../src/state-manager/store/batch-draft.js";
import { toWatchEvent } from "../../../src/state-manager/watch/event-filter.js";
import { newFingerprint } from "../../support/changes.js";
import { Random } from "../../support/seed.js";
import { thing, thingKey } from "../../support/things.js";

const LOGS = 3;
/** One shard in each log. */
const SHARDS = Array.from({ length: LOGS }, (_, log) => {
  const shard = Array.from({ length: 100 }, (_, i) => `s${i}`).find((name) => logOf(name, LOGS) === log);
  if (shard === undefined) throw new Error(`no shard in log ${log}`);
  return shard;
});

/** What is stored, and the logs as the commit batch writes them. */
class Store {
  readonly logs: Change[][] = Array.from({ length: LOGS }, () => []);
  readonly states = new Map<string, KeyState>();
  #ids = 0n;

  submit(command: Command): void {
    const ends = this.logs.map((log, i) => {
      const { revision, fingerprint } = log.at(-1) ?? { revision: 0n, fingerprint: 0n };
      return [i, { revision, fingerprint }] as const;
    });
    const draft = new BatchDraft({
      logCount: LOGS,
      ends: new Map(ends),
      states: this.states,
      owners: new Map(),
      fingerprint: newFingerprint(),
      context: {
        now: new Date(0),
        newId: () => ++this.#ids,
        newUid: () => `uid-${++this.#ids}`,
        random: () => 0,
      },
    });
    draft.apply(command);
    for (const change of draft.changes) this.logs[change.log]?.push(change);
    for (const { key, after } of draft.keys) this.states.set(keyId(key), after);
  }

  put(name: string, log: number, labels: Readonly<Record<string, string>> = {}, finalizers: string[] = []): void {
    const shardId = SHARDS[log] ?? "";
    const input = thing(name, { shardId, labels: new Map(Object.entries(labels)), finalizers });
    this.submit({ type: "apply", input });
  }

  /** Writes the resource into one log after the other. */
  walk(name: string, ...logs: readonly number[]): void {
    for (const log of logs) this.put(name, log);
  }

  remove(name: string): void {
    this.submit({ type: "delete", key: thingKey(name), expected: {} });
  }

  /** What `filter` selects, by uid. */
  selected(filter: ResourceFilter): Map<string, bigint> {
    const resources = [...this.states.values()].flatMap(({ resource }) => resource ?? []);
    const isSelected = ({ labels }: Resource) =>
      filter.labels?.requirements.every(({ key, values }) => values.includes(labels.get(key) ?? "")) ?? true;
    return new Map(resources.filter(isSelected).map(({ uid, writeCount }) => [uid, writeCount]));
  }
}

/** What a client holds that follows the rule of WatchResources: counts by uid, an event below the held count is ignored. */
function held(changes: Iterable<Change>, filter: ResourceFilter): Map<string, bigint> {
  const counts = new Map<string, bigint>();
  for (const change of changes) {
    const event = toWatchEvent(filter, change);
    if (event === undefined || !("resource" in event)) continue;
    const { uid, writeCount } = event.resource;
    if (writeCount < (counts.get(uid) ?? 0n)) continue;
    if (event.type === "DELETED") counts.delete(uid);
    else counts.set(uid, writeCount);
  }
  return counts;
}

/** Every order in which a reader of all logs may see them. */
function* interleavings(logs: readonly (readonly Change[])[]): Generator<readonly Change[]> {
  if (logs.every((log) => log.length === 0)) yield [];
  for (const [i, log] of logs.entries()) {
    const [first, ...rest] = log;
    if (first === undefined) continue;
    for (const tail of interleavings(logs.with(i, rest))) yield [first, ...tail];
  }
}

function* anyInterleaving(logs: readonly (readonly Change[])[], random: Random): Generator<Change> {
  const left = logs.map((log) => [...log]);
  for (let busy = left; busy.length > 0; busy = left.filter((log) => log.length > 0)) {
    const change = random.pick(busy).shift();
    if (change !== undefined) yield change;
  }
}

const WEB: ResourceFilter = { labels: { requirements: [{ key: "tier", values: ["web"] }] } };
const STORIES: [string, (store: Store) => void][] = [
  ["moved away and back", (store) => store.walk("a", 0, 1, 0)],
  ["moved on and on", (store) => store.walk("a", 0, 1, 2, 0, 1)],
  [
    "moved, then removed",
    (store) => {
      store.walk("a", 0, 1, 0);
      store.remove("a");
    },
  ],
  [
    "removed, and created again where it had been",
    (store) => {
      store.walk("a", 0, 1);
      store.remove("a");
      store.walk("a", 0, 1);
    },
  ],
  [
    "moved while it leaves the selector, and back while it enters it",
    (store) => {
      store.put("a", 0, { tier: "web" });
      store.put("a", 1, { tier: "db" });
      store.put("a", 1, { tier: "web" });
      store.put("a", 0, { tier: "web" });
    },
  ],
  [
    "moved after its deletion was requested, then released",
    (store) => {
      store.put("a", 0, {}, ["hold"]);
      store.remove("a");
      store.put("a", 1, {}, ["hold"]);
      store.put("a", 0, {}, ["other"]);
    },
  ],
];

describe("a watcher of several logs that goes by uid and write count ends with what is stored", () => {
  it.each(STORIES)("in whatever order it sees a resource %s", (_, tell) => {
    const store = new Store();
    tell(store);
    for (const filter of [{}, WEB]) {
      const expected = store.selected(filter);
      for (const order of interleavings(store.logs)) expect(held(order, filter)).toEqual(expected);
    }
  });

  it("in any order, after any story", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = new Random(seed);
      const store = new Store();
      for (let i = 0; i < 30; i++) {
        const name = `r${random.below(3)}`;
        if (random.below(5) === 0) store.remove(name);
        else store.put(name, random.below(LOGS), { tier: random.below(2) === 0 ? "web" : "db" });
      }
      for (let round = 0; round < 10; round++) {
        for (const filter of [{}, WEB]) {
          expect(held(anyInterleaving(store.logs, random), filter), `seed ${seed}`).toEqual(store.selected(filter));
        }
      }
    }
  });
});
