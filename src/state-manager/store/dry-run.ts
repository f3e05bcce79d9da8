import type { Command } from "../../resource/command.js";
import { decide, type KeyState, keyOf } from "../../resource/decide.js";
import { keyId, type ResourceKey } from "../../resource/key.js";
import type { OwnerFacts } from "../../resource/owner.js";
import type { Database } from "./database.js";
import { readOwners } from "./read-owners.js";
import { keyArrays, type WorkItemRow, workItemFromRow } from "./read-states.js";
import { type ResourceRow, resourceFromRow } from "./resource-row.js";
import { READ_RESOURCES_BY_KEY } from "./statements/resources.js";
import { READ_WORK_ITEMS } from "./statements/work-items.js";
import { type BulkSink, type CommandResult, type ResourceReader, RunError } from "./store.js";

/** With one log readOwners locks nothing, and here nothing is to be locked, however many there are. */
const WITHOUT_LOCKS = 1;
/** Commands whose states are read, and held, at once. */
const RUN_ITEMS = 100;

/**
 * A sink that decides as the commit batch does, by the same rules and with the same refusals, and writes nothing: it takes no
 * lock, no revision and no id. The answer is the resource as it would be stored, but for what only a commit gives: the revision
 * stays the one before (0 for what would be created), the uid of a new one is empty, and times are this server's.
 */
export class DryRun implements BulkSink {
  readonly #database: Database;
  readonly #reader: Pick<ResourceReader, "get">;

  constructor(database: Database, reader: Pick<ResourceReader, "get">) {
    this.#database = database;
    this.#reader = reader;
  }

  async submit(command: Command): Promise<CommandResult> {
    const key = keyOf(command);
    const [resource, items] = await Promise.all([this.#reader.get(key), this.#readItems([key])]);
    const state = { resource, item: items[0] && workItemFromRow(items[0]), isSessionLive: false };
    const owners = await readOwners(this.#database, [command], new Map([[keyId(key), state]]), WITHOUT_LOCKS);
    return dryDecide(state, command, owners);
  }

  /** What one run would create, the later ones may name as owner. */
  async *submitAll(commands: readonly Command[]): AsyncGenerator<readonly CommandResult[], void, undefined> {
    const created = new Map<string, OwnerFacts>();
    for (let first = 0; first < commands.length; first += RUN_ITEMS) {
      const run = commands.slice(first, first + RUN_ITEMS);
      const states = await this.#readStates(run.map(keyOf));
      const owners = await readOwners(this.#database, run, states, WITHOUT_LOCKS);
      yield run.map((command, index) => {
        const id = keyId(keyOf(command));
        try {
          const result = dryDecide(states.get(id) ?? NOTHING, command, owners, created);
          if (result.outcome === "CREATED" && result.resource !== undefined) created.set(id, result.resource);
          return result;
        } catch (error) {
          throw new RunError({ first, count: run.length, refused: first + index }, error);
        }
      });
    }
  }

  async #readStates(keys: readonly ResourceKey[]): Promise<Map<string, KeyState>> {
    const [resources, items] = await Promise.all([
      this.#database.query<ResourceRow>(READ_RESOURCES_BY_KEY, keyArrays(keys)),
      this.#readItems(keys),
    ]);
    const itemOf = new Map(items.map(workItemFromRow).map((item) => [keyId(item.key), item]));
    return new Map(
      resources.map(resourceFromRow).map((resource) => {
        const id = keyId(resource.key);
        return [id, { resource, item: itemOf.get(id), isSessionLive: false }];
      }),
    );
  }

  #readItems(keys: readonly ResourceKey[]): Promise<WorkItemRow[]> {
    return this.#database.query<WorkItemRow>(READ_WORK_ITEMS, keyArrays(keys));
  }
}

const NOTHING: KeyState = { resource: undefined, item: undefined, isSessionLive: false };

function dryDecide(state: KeyState, command: Command, ...owners: ReadonlyMap<string, OwnerFacts>[]): CommandResult {
  const { outcome, answer } = decide(state, command, {
    now: new Date(),
    newId: () => 0n,
    newUid: () => "",
    random: () => 0,
    findOwner: (owner) => owners.map((known) => known.get(keyId(owner))).find((facts) => facts !== undefined),
  });
  return { outcome, resource: answer, previous: state.resource };
}
