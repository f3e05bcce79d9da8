import type { ClientResource, ResourceClient } from "../client/index.js";
import { EXIT, Failure, usageError } from "./exit-codes.js";
import { nameOf } from "./name-of.js";
import type { Place } from "./place.js";

/** What a command line names: `website`, `website blog` or `website/blog`. */
export interface Target {
  readonly kind: string;
  /** Undefined: all of the kind. */
  readonly name: string | undefined;
}

/** One resource that a command line names. */
export interface NamedTarget extends Target {
  readonly name: string;
}

/** Reads `KIND`, `KIND NAME` or `KIND/NAME`. A kind with a slash in it needs the form with two words. */
export function readTarget(kind: string, name: string | undefined): Target {
  if (name !== undefined) return { kind, name };
  const slash = kind.indexOf("/");
  if (slash === -1) return { kind, name: undefined };
  const target = { kind: kind.slice(0, slash), name: kind.slice(slash + 1) };
  if (target.kind === "" || target.name === "")
    throw usageError(`"${kind}" must be KIND/NAME, for example website/blog`);
  return target;
}

/** As readTarget; throws without a name. */
export function readNamedTarget(kind: string, name: string | undefined): NamedTarget {
  const target = readTarget(kind, name);
  if (target.name !== undefined) return { ...target, name: target.name };
  throw usageError(`name the ${kind} too: ${kind} NAME, or ${kind}/NAME`);
}

/** The one stored resource that is meant. Fails when there is none, or when several groups have one. */
export async function findResource(client: ResourceClient, place: Place, target: NamedTarget): Promise<ClientResource> {
  const resource = await lookUpResource(client, place, target);
  if (resource !== undefined) return resource;
  throw new Failure(`there is no ${nameOf(target)} in namespace ${place.namespace}${inGroup(place)}`, EXIT.failed);
}

/** As findResource; undefined when there is none. */
export async function lookUpResource(
  client: ResourceClient,
  place: Place,
  { kind, name }: NamedTarget,
): Promise<ClientResource | undefined> {
  const { group, namespace } = place;
  if (group !== undefined) return await client.get({ resourceGroup: group, kind, namespace, name });
  const found: ClientResource[] = [];
  for await (const resource of client.list({ kind, namespace, name }, { pageSize: 10 })) found.push(resource);
  if (found.length < 2) return found[0];
  const groups = found.map(({ key }) => key.resourceGroup).join(", ");
  throw usageError(`${nameOf({ kind, name })} is in several groups (${groups}); choose one with --group`);
}

/** " of group x", where one was named. */
export function inGroup({ group }: Place): string {
  return group === undefined ? "" : ` of group ${group}`;
}
