/** Whether each version may follow the one before it: what its writer does, and whether there is one. */
import { describeCall, type Operation, type WriteCall } from "./operation.js";
import type { Version, Versions } from "./versions.js";
import type { Windows } from "./windows.js";

/** What the world does besides clients. */
export interface Surroundings {
  /** Kinds whose resources a reconciler reports on. */
  readonly reconciledKinds: ReadonlySet<string>;
}

/** Judges every version by its predecessor. */
export function followRules(
  operations: readonly Operation[],
  versions: Versions,
  windows: Windows,
  surroundings: Surroundings,
): readonly string[] {
  const writers = new Map<number, WriteCall | "run">();
  const deletions = new Map<string, Set<WriteCall>>();
  for (const operation of operations) {
    if (operation.type === "run") for (const { number } of operation.items) writers.set(number, "run");
    if (operation.type !== "write") continue;
    writers.set(operation.number, operation);
    if (operation.verb !== "delete" || operation.outcome.type === "refused") continue;
    const ofKey = deletions.get(operation.key) ?? new Set();
    deletions.set(operation.key, ofKey.add(operation));
  }
  return versions.inOrder.flatMap((version) => {
    const before = versions.before(version);
    const counters = judgeCounters(before, version);
    if (version.writtenBy.length > 1) return [...counters, `${place(version)} was written by ${version.writtenBy}`];
    const [number] = version.writtenBy;
    if (number !== undefined) return [...counters, ...judgeWriter(writers.get(number), before, version, number)];
    if (isByServer(before, version, versions, surroundings)) return counters;
    const deletion = findDeletion(deletions.get(version.key), before, version, windows);
    if (deletion === undefined)
      return [...counters, `${place(version)} was written by nobody; changed: ${changes(before, version)}`];
    // Each deletion takes effect once.
    deletions.get(version.key)?.delete(deletion);
    return counters;
  });
}

/** One life of a key has one uid; its writes are counted one by one; a requested deletion is not taken back (I5). */
function judgeCounters(before: Version, version: Version): readonly string[] {
  const [old, now] = [before.event, version.event];
  if (now === undefined) return [];
  if (now.observed > now.generation) return [`${place(version)} was observed before it was there (I6)`];
  if (!before.exists || old === undefined) {
    if (!version.exists) return [`${place(version)} ended before it began`];
    if (old?.uid === now.uid) return [`${place(version)} came back with the uid of an earlier life`];
    return now.generation === 1 && now.writes === 1 ? [] : [`${place(version)} does not begin at 1`];
  }
  if (old.uid !== now.uid) return [`${place(version)} is another resource, and the one before did not end`];
  if (old.isDeleting && !now.isDeleting) return [`${place(version)} took a deletion back (I5)`];
  const added = now.finalizers.filter((name) => !old.finalizers.includes(name));
  if (old.isDeleting && added.length > 0)
    return [`${place(version)} got finalizer ${added} while it was being deleted`];
  if (!version.exists) {
    const isHeld = now.finalizers.length > 0;
    return isHeld ? [`${place(version)} ended though it has finalizers (I5)`] : [];
  }
  if (now.writes !== old.writes + 1) return [`${place(version)} counts ${now.writes} writes after ${old.writes}`];
  const isRaised = now.generation === old.generation + 1 || now.generation === old.generation;
  return isRaised ? [] : [`${place(version)} has generation ${now.generation} after ${old.generation}`];
}

/** Whether the write may be made of the state before: what it needs to exist, and what it expects. */
function judgeWriter(
  writer: WriteCall | "run" | undefined,
  before: Version,
  version: Version,
  number: number,
): readonly string[] {
  if (writer === "run") return [];
  if (writer === undefined) return [`${place(version)} has number ${number}, which nobody wrote`];
  const { verb, guard, key } = writer;
  if (key !== version.key) return [`${describeCall(writer)} wrote ${place(version)}`];
  const mayBegin = verb === "create" || verb === "apply";
  if (before.exists ? verb === "create" : !mayBegin) return [`${describeCall(writer)} followed ${place(before)}`];
  if (verb === "status" && version.exists && version.event?.generation !== before.event?.generation)
    return [`${describeCall(writer)} raised the generation (I6)`];
  const isExpected =
    (guard.uid === undefined || guard.uid === before.event?.uid) &&
    (guard.revision === undefined || guard.revision === before.revision) &&
    (guard.generation === undefined || guard.generation === before.event?.generation);
  const wanted = `expected ${JSON.stringify(guard)}, and was written over ${place(before)}`;
  return isExpected ? [] : [`${describeCall(writer)} ${wanted}`];
}

/** Whether a reconciler, or the end of an owner, explains the version. */
function isByServer(before: Version, version: Version, versions: Versions, surroundings: Surroundings): boolean {
  const [old, now] = [before.event, version.event];
  if (old === undefined || now === undefined || !before.exists) return false;
  if (surroundings.reconciledKinds.has(now.kind)) {
    const isDeletion = now.isDeleting && !old.isDeleting;
    if (!isDeletion && (version.exists || old.isDeleting)) return true;
  }
  const isOurs = (finalizer: string) => finalizer.startsWith("reconcile.dev/");
  const left = old.finalizers.filter((finalizer) => !now.finalizers.includes(finalizer));
  if (left.length > 0 && left.every(isOurs)) return true;
  // The owner's end lies before what it does to its children.
  const ending = old.owner === null ? undefined : versions.endingOf(old.owner);
  return ending !== undefined && ending < version.revision;
}

/** Of the deletions that can have made this version, the one whose time runs out first. */
function findDeletion(
  candidates: ReadonlySet<WriteCall> = new Set(),
  before: Version,
  version: Version,
  windows: Windows,
): WriteCall | undefined {
  const isDeletion = !version.exists || (version.event?.isDeleting === true && before.event?.isDeleting === false);
  if (!isDeletion) return undefined;
  const fitting = [...candidates].filter(({ guard, outcome, invokedAt, completedAt }) => {
    if (guard.uid !== undefined && guard.uid !== before.event?.uid) return false;
    if (guard.revision !== undefined && guard.revision !== before.revision) return false;
    if (invokedAt > windows.latest(version) || completedAt < windows.earliest(version)) return false;
    if (outcome.type !== "done" || outcome.shown === undefined) return true;
    if (outcome.isRemoved) return !version.exists && outcome.shown.uid === version.event?.uid;
    return outcome.shown.revision === version.revision;
  });
  return fitting.sort((a, b) => a.completedAt - b.completedAt)[0];
}

function place({ key, revision, event }: Version): string {
  return `revision ${revision} (${event?.type ?? "nothing"} of ${key})`;
}

/** What differs between two states, for people. */
function changes({ event: old }: Version, { event: now }: Version): string {
  const fields = [
    "type",
    "isDeleting",
    "finalizers",
    "owner",
    "shard",
    "generation",
    "observed",
    "spec",
    "status",
  ] as const;
  const changed = fields.filter((field) => JSON.stringify(old?.[field]) !== JSON.stringify(now?.[field]));
  return changed
    .map((field) => `${field} ${JSON.stringify(old?.[field])} -> ${JSON.stringify(now?.[field])}`)
    .join(", ");
}
