import type { ClientResource, ResourceClient } from "../client/index.js";
import { EXIT, Failure, usageError } from "./exit-codes.js";
import { unknownKind } from "./known-kinds.js";
import { nameOf } from "./name-of.js";
import type { Place } from "./place.js";
import { printable } from "./printable.js";

/** What a command line names: `website`, `website blog` or `website/blog`, with `website.examples` where it says the group too. */
export interface Target {
  readonly kind: string;
  /** Undefined: all of the kind. */
  readonly name: string | undefined;
}

/** One resource that a command line names. */
export interface NamedTarget extends Target {
  readonly name: string;
}

/** One way in which a target can be meant. */
export interface Reading extends Target {
  /** Undefined: of any group. */
  readonly group: string | undefined;
  readonly namespace: string;
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

/**
 * What a target can mean: itself; `KIND.GROUP/NAME` and `NAMESPACE/KIND.GROUP/NAME`, as `get -o name` prints it. Kinds and names may
 * hold dots and slashes themselves, so it takes the server to decide.
 */
export function readingsOf({ kind, name }: Target, { group, namespace }: Place): readonly [Reading, ...Reading[]] {
  const others = withGroup({ kind, name, namespace });
  const slash = name?.indexOf("/") ?? -1;
  if (name !== undefined && slash > 0) {
    const inner = { kind: name.slice(0, slash), name: name.slice(slash + 1), namespace: kind };
    if (inner.name !== "") others.push({ ...inner, group }, ...withGroup(inner));
  }
  return [{ kind, name, group, namespace }, ...others];
}

function withGroup(target: Omit<Reading, "group">): Reading[] {
  const { kind } = target;
  const dots = [...kind.matchAll(/\./g)].map(({ index }) => index);
  const inside = dots.filter((at) => at > 0 && at < kind.length - 1);
  return inside.map((at) => ({ ...target, kind: kind.slice(0, at), group: kind.slice(at + 1) }));
}

/** The one stored resource that is meant. Fails when there is none, or when several are. */
export async function findResource(client: ResourceClient, place: Place, target: NamedTarget): Promise<ClientResource> {
  const resource = await lookUpResource(client, place, target);
  if (resource !== undefined) return resource;
  throw await notFound(client, place, target);
}

/** Why there is nothing of that name. */
export async function notFound(
  client: ResourceClient,
  place: Place,
  target: NamedTarget,
  where?: string,
): Promise<Failure> {
  const hint = await unknownKind(client, readingsOf(target, place));
  const text = `there is no ${nameOf(target)}${where ?? ` in namespace ${place.namespace}`}${inGroup(place)}`;
  return new Failure(hint === undefined ? text : `${text}: ${hint}`, EXIT.failed);
}

/** As findResource; undefined when there is none. */
export async function lookUpResource(
  client: ResourceClient,
  place: Place,
  target: NamedTarget,
): Promise<ClientResource | undefined> {
  const found = new Map<string, ClientResource>();
  for (const reading of readingsOf(target, place)) {
    for (const resource of await stored(client, { ...reading, name: reading.name ?? target.name })) {
      found.set(resource.uid, resource);
    }
  }
  const [first, ...others] = found.values();
  if (first === undefined || others.length === 0) return first;
  const groups = new Set([...found.values()].map(({ key }) => key.resourceGroup));
  const names = [...found.values()].map(({ key }) => `${key.kind} ${key.name} of group ${key.resourceGroup}`);
  const isByGroup = groups.size === found.size;
  throw usageError(
    isByGroup
      ? `${nameOf(target)} is in several groups (${printable([...groups].join(", "))}); choose one with --group`
      : `${nameOf(target)} can mean ${printable(names.join(", or "))}; write KIND NAME, with --namespace and --group`,
  );
}

async function stored(
  client: ResourceClient,
  { group, kind, namespace, name }: Reading & NamedTarget,
): Promise<readonly ClientResource[]> {
  if (group !== undefined) {
    const resource = await client.get({ resourceGroup: group, kind, namespace, name });
    return resource === undefined ? [] : [resource];
  }
  const found: ClientResource[] = [];
  for await (const resource of client.list({ kind, namespace, name }, { pageSize: 10 })) found.push(resource);
  return found;
}

/** " of group x", where one was named. */
export function inGroup({ group }: Place): string {
  return group === undefined ? "" : ` of group ${group}`;
}
