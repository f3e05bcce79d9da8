import type { Command } from "../../resource/command.js";
import { decide, keyOf } from "../../resource/decide.js";
import { keyId } from "../../resource/key.js";
import type { Database } from "./database.js";
import { readOwners } from "./read-owners.js";
import { type WorkItemRow, workItemFromRow } from "./read-states.js";
import { READ_WORK_ITEM } from "./statements/work-items.js";
import type { CommandResult, CommandSink, ResourceReader } from "./store.js";

/** With one log readOwners locks nothing, and here nothing is to be locked, however many there are. */
const WITHOUT_LOCKS = 1;

/**
 * A sink that decides as the commit batch does, by the same rules and with the same refusals, and writes nothing: it takes no
 * lock, no revision and no id. The answer is the resource as it would be stored, but for what only a commit gives: the revision
 * stays the one before (0 for what would be created), the uid of a new one is empty, and times are this server's.
 */
export class DryRun implements CommandSink {
  readonly #database: Database;
  readonly #reader: Pick<ResourceReader, "get">;

  constructor(database: Database, reader: Pick<ResourceReader, "get">) {
    this.#database = database;
    this.#reader = reader;
  }

  async submit(command: Command): Promise<CommandResult> {
    const key = keyOf(command);
    const { resourceGroup, kind, namespace, name } = key;
    const [resource, [row]] = await Promise.all([
      this.#reader.get(key),
      this.#database.query<WorkItemRow>(READ_WORK_ITEM, [resourceGroup, kind, namespace, name]),
    ]);
    const state = { resource, item: row && workItemFromRow(row), isSessionLive: false };
    const owners = await readOwners(this.#database, [command], new Map([[keyId(key), state]]), WITHOUT_LOCKS);
    const { outcome, answer } = decide(state, command, {
      now: new Date(),
      newId: () => 0n,
      newUid: () => "",
      random: () => 0,
      findOwner: (owner) => owners.get(keyId(owner)),
    });
    return { outcome, resource: answer, previous: resource };
  }
}
