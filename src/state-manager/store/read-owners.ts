import type { Command } from "../../resource/command.js";
import type { KeyState } from "../../resource/decide.js";
import { keyId, type ResourceKey } from "../../resource/key.js";
import { type Owner, type OwnerFacts, ownerKey } from "../../resource/owner.js";
import type { StringMap } from "../../resource/resource.js";
import { PRIORITY_ANNOTATION } from "../../resource/work-priority.js";
import type { Connection } from "./database.js";
import { keyArrays } from "./read-states.js";
import { ownerFromRow } from "./resource-row.js";
import { LOCK_ADOPTIONS, LOCK_OWNERS, type OwnerRow, READ_ANCESTORS, READ_OWNERS } from "./statements/owners.js";

/** The owners that commands wish for, by `keyId`. */
export function wishedOwners(commands: readonly Command[]): Map<string, ResourceKey> {
  return byId(commands.flatMap((command) => wishOf(command)?.key ?? []));
}

/**
 * Reads what is known of every owner the commands concern: those wished for and those stored, and above an owner that adopts
 * what stands over it. Call it after the work items are locked, with the states read before. Without owners it costs nothing.
 *
 * With several logs an owner may live in one whose head is not held. A lock on the rows of wished owners then keeps their
 * deletion waiting until the child is in, and adoptions pass one at a time, or two could close a cycle between them.
 */
export async function readOwners(
  connection: Connection,
  commands: readonly Command[],
  states: ReadonlyMap<string, KeyState>,
  logCount: number,
): Promise<Map<string, OwnerFacts>> {
  const wished = wishedOwners(commands);
  const stored = byId(
    [...states.values()].flatMap(({ resource }) => (resource?.owner ? [ownerKey(resource.owner, resource.key)] : [])),
  );
  for (const id of wished.keys()) stored.delete(id);
  const found: OwnerRow[] = [];
  if (wished.size > 0) {
    found.push(
      ...(await connection.query<OwnerRow>(logCount > 1 ? LOCK_OWNERS : READ_OWNERS, keyArrays(wished.values()))),
    );
  }
  if (stored.size > 0) found.push(...(await connection.query<OwnerRow>(READ_OWNERS, keyArrays(stored.values()))));
  const adopting = adopters(commands, states);
  if (adopting.size > 0) {
    if (logCount > 1) await connection.query(LOCK_ADOPTIONS);
    found.push(...(await connection.query<OwnerRow>(READ_ANCESTORS, keyArrays(adopting.values()))));
  }
  return new Map(found.map(factsFromRow).map((facts) => [keyId(facts.key), facts]));
}

/**
 * Owners that may take over a stored resource: an upper bound, as only the decision knows who owns it by then. Above the owner of
 * a new one it cannot stand itself, unless by this batch.
 */
function adopters(commands: readonly Command[], states: ReadonlyMap<string, KeyState>): Map<string, ResourceKey> {
  const writesOf = new Map<string, number>();
  const wishes = commands.flatMap((command) => wishOf(command) ?? []);
  for (const { child } of wishes) writesOf.set(keyId(child), (writesOf.get(keyId(child)) ?? 0) + 1);
  const adopting = wishes.filter(({ owner, child, key }) => {
    const stored = states.get(keyId(child))?.resource;
    if (stored === undefined) return false;
    const isKept = stored.owner?.uid === owner.uid && keyId(ownerKey(stored.owner, child)) === keyId(key);
    return !isKept || writesOf.get(keyId(child)) !== 1;
  });
  return byId(adopting.map(({ key }) => key));
}

function wishOf(command: Command): { owner: Owner; child: ResourceKey; key: ResourceKey } | undefined {
  if (command.type !== "create" && command.type !== "update" && command.type !== "apply") return undefined;
  const { owner, key: child } = command.input;
  return owner ? { owner, child, key: ownerKey(owner, child) } : undefined;
}

function byId(keys: readonly ResourceKey[]): Map<string, ResourceKey> {
  return new Map(keys.map((key) => [keyId(key), key]));
}

const NO_ANNOTATIONS: StringMap = new Map();

function factsFromRow(row: OwnerRow): OwnerFacts {
  return {
    key: { resourceGroup: row.resource_group, kind: row.kind, namespace: row.namespace, name: row.name },
    id: row.id,
    uid: row.uid,
    shardId: row.shard_id,
    owner: ownerFromRow(row),
    annotations: row.priority === null ? NO_ANNOTATIONS : new Map([[PRIORITY_ANNOTATION, row.priority]]),
    // Written through METADATA_COLUMNS only, so a JSON array of strings.
    finalizers: JSON.parse(row.finalizers) as string[],
    generation: row.generation,
    observedGeneration: row.observed_generation,
    deletionRequestedAt: row.deletion_requested_at,
  };
}
