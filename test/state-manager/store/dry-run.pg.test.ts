import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Command } from "../../../src/resource/command.js";
import type { Resource } from "../../../src/resource/resource.js";
import { Database } from "../../../src/state-manager/store/database.js";
import { DryRun } from "../../../src/state-manager/store/dry-run.js";
import { ReadBatcher } from "../../../src/state-manager/store/read-batch.js";
import type { CommandResult, CommandSink } from "../../../src/state-manager/store/store.js";
import { openTestStore, type TestStore } from "../../support/store.js";
import { thing, thingKey } from "../../support/things.js";

let store: TestStore;
/** On connections that PostgreSQL lets read and nothing else: no write, no row lock, no number of a sequence. */
let readOnly: Database;
let dryRun: CommandSink;

beforeAll(async () => {
  // Several logs: with one, owners are not locked anyway.
  store = await openTestStore({ logCount: 4 });
  readOnly = new Database({ url: `${store.url}?options=-c%20default_transaction_read_only%3Don`, poolSize: 2 });
  dryRun = new DryRun(readOnly, new ReadBatcher(readOnly));
});
afterAll(async () => {
  await readOnly.close();
  await store.close();
});

const submit = (command: Command) => store.sink.submit(command);

/** Log, queue and state, the position of the sequence too. */
async function everything(): Promise<unknown> {
  const text = `SELECT (SELECT count(*) FROM events) AS events, (SELECT json_agg(w) FROM work_items w) AS items,
    (SELECT json_agg(r) FROM resources r) AS resources, (SELECT last_value FROM resource_ids) AS id`;
  return store.database.query({ name: "everything", text });
}

const ownerOf = (name: string) => ({ resourceGroup: "test", kind: "thing", name: `${name}-owner`, uid: "" });
const statusOf = (name: string) => ({
  key: thingKey(name),
  statusJson: '{"ok":true}',
  observedGeneration: 1n,
  metadata: undefined,
  expected: {},
});

/** Commands on a resource with the spec {"a":1} and the finalizer f, or on the free key `new-…`. */
const COMMANDS: Readonly<Record<string, (name: string) => Command>> = {
  "a creation": (name) => ({ type: "create", input: thing(`new-${name}`, { specJson: "[1]", owner: ownerOf(name) }) }),
  "an apply to a free key": (name) => ({ type: "apply", input: thing(`new-${name}`) }),
  "an apply that changes nothing": (name) => ({ type: "apply", input: thing(name, { specJson: '{"a":1}' }) }),
  "an adoption": (name) => ({ type: "apply", input: thing(name, { specJson: "2", owner: ownerOf(name) }) }),
  "a move": (name) => ({ type: "update", input: thing(name, { shardId: "s2" }), expected: { generation: 1n } }),
  "a status": (name) => ({ type: "update-status", ...statusOf(name) }),
  "a deletion that waits": (name) => ({ type: "delete", key: thingKey(name), expected: {} }),
  "a deletion that removes": (name) => ({ type: "delete", key: thingKey(`${name}-owner`), expected: {} }),
  "a forced finalizer": (name) => ({
    type: "force-finalizer",
    key: thingKey(name),
    finalizer: "f",
    message: "gone",
    expected: {},
  }),
  "a release": (name) => ({ type: "release-quarantine", key: thingKey(name) }),
};

const REFUSED: Readonly<Record<string, Command>> = {
  "a key that is taken": { type: "create", input: thing("taken") },
  "a resource that is not there": { type: "delete", key: thingKey("missing"), expected: {} },
  "a version conflict": { type: "update", input: thing("taken"), expected: { generation: 7n } },
  "an owner that is not there": { type: "apply", input: thing("new", { owner: ownerOf("nobody") }) },
  "a release without quarantine": { type: "release-quarantine", key: thingKey("taken") },
};

/** Without what only a commit gives, and without the clock. */
function withoutCommit({ outcome, resource, previous }: CommandResult) {
  return { outcome, previous, resource: resource && stateOf(resource) };
}

function stateOf({ id, uid, revision, createdAt, updatedAt, deletionRequestedAt, annotations, ...state }: Resource) {
  return { ...state, annotations: annotations.size, isDeletionRequested: deletionRequestedAt !== null };
}

test("the connections of these tests refuse to write", async () => {
  const write = { name: "write", text: "UPDATE store SET log_count = log_count" };
  // SQLSTATE of a write in a read-only transaction.
  await expect(readOnly.query(write)).rejects.toMatchObject({ cause: { code: "25006" } });
});

describe("a dry run", () => {
  test.each(Object.entries(COMMANDS))(
    "of %s reads only, and tells what the write does then",
    async (what, commandOf) => {
      const name = what.replaceAll(" ", "-");
      await submit({ type: "create", input: thing(`${name}-owner`) });
      await submit({ type: "create", input: thing(name, { specJson: '{"a":1}', finalizers: ["f"] }) });
      if (what === "a release") {
        const text = "UPDATE work_items SET quarantined_at = now(), strikes = 5 WHERE name = $1";
        await store.database.query({ name: "quarantine", text }, [name]);
      }
      const before = await everything();
      const told = await dryRun.submit(commandOf(name));
      expect(await everything()).toEqual(before);
      const done = await submit(commandOf(name));
      expect(withoutCommit(told)).toEqual(withoutCommit(done));
      expect(told.resource?.revision).toBe(told.previous?.revision ?? 0n);
    },
  );

  test.each(Object.entries(REFUSED))("is refused like the write: %s", async (_, command) => {
    await submit({ type: "apply", input: thing("taken") });
    const refusal: unknown = await dryRun.submit(command).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Error);
    await expect(submit(command)).rejects.toEqual(refusal);
  });
});
