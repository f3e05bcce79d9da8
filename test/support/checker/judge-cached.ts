/** How old CACHED reads may be, by what the contract says of them. */
import { describeCall, type FaultWindow, type Operation, type ReadCall } from "./operation.js";
import type { Version, Versions } from "./versions.js";
import type { Windows } from "./windows.js";

/** A read may be so old when Redis missed a write: the life of an entry of the cache, and what finding out may take. */
const OLDEST_MS = 65_000;
/** What is answered later may have been answered before it was published (docs/invariants.md, I9). */
const UNPUBLISHED_AFTER_MS = 250;

/**
 * "Sees what its client has been told of, unless Redis missed a write, for at most a minute then": a client that was told of a version, by the
 * answer to a write or by a strong read, is not shown an older one, save where each change in between may have been missed by Redis.
 */
export function judgeCached(
  operations: readonly Operation[],
  versions: Versions,
  windows: Windows,
  faults: readonly FaultWindow[],
): readonly string[] {
  /** By client and key: the newest revision it was told of so far. */
  const told = new Map<string, Version>();
  const slow = new Set(operations.filter(isUnpublished).flatMap(numbersOf));
  const mayBeMissed = (version: Version) =>
    version.writtenBy.some((number) => slow.has(number)) ||
    faults.some(
      ({ from, to, isRedisAway }) => isRedisAway && from <= windows.latest(version) && to >= windows.earliest(version),
    );
  const inOrder = operations.toSorted((a, b) => a.completedAt - b.completedAt);
  return inOrder.flatMap((operation) => {
    if (operation.type === "read" && operation.consistency === "cached") {
      const newest = told.get(`${operation.client} ${operation.key}`);
      return judge(operation, newest, versions, windows, mayBeMissed);
    }
    for (const version of toldBy(operation, versions)) {
      const place = `${operation.client} ${version.key}`;
      if ((told.get(place)?.revision ?? 0) < version.revision) told.set(place, version);
    }
    return [];
  });
}

function judge(
  read: ReadCall,
  newest: Version | undefined,
  versions: Versions,
  windows: Windows,
  mayBeMissed: (version: Version) => boolean,
): readonly string[] {
  if (read.outcome.type !== "done" || read.outcome.shown === undefined) return [];
  const shown = versions.at(read.outcome.shown.revision);
  if (shown === undefined) return [];
  const next = versions.after(shown);
  if (next !== undefined && read.invokedAt - windows.latest(next) > OLDEST_MS)
    return [`${describeCall(read)} was shown revision ${shown.revision}, which ended more than a minute before`];
  if (newest === undefined || newest.revision <= shown.revision) return [];
  const between = versions.of(read.key).slice(shown.index + 1, newest.index + 1);
  if (between.every(mayBeMissed)) return [];
  return [
    `${describeCall(read)} was shown revision ${shown.revision} after its client had been told of ${newest.revision}`,
  ];
}

/** The versions a client knows of by an answer. */
function toldBy(operation: Operation, versions: Versions): readonly Version[] {
  switch (operation.type) {
    case "write": {
      const { outcome } = operation;
      if (outcome.type !== "done" || outcome.shown === undefined) return [];
      const { uid, revision } = outcome.shown;
      return defined(outcome.isRemoved ? versions.removalOf(uid) : versions.at(revision));
    }
    case "run":
      return operation.outcome.type === "done"
        ? operation.outcome.results.flatMap(({ revision }) => defined(versions.at(revision)))
        : [];
    case "read": {
      const { outcome } = operation;
      return outcome.type === "done" && outcome.shown !== undefined ? defined(versions.at(outcome.shown.revision)) : [];
    }
    case "list":
      return operation.pages.flatMap(({ shown }) => shown.flatMap(({ revision }) => defined(versions.at(revision))));
    case "enqueue":
      return [];
  }
}

function isUnpublished({ invokedAt, completedAt, ...call }: Operation): boolean {
  const isDone = call.type !== "list" && call.outcome.type === "done";
  return !isDone || completedAt - invokedAt >= UNPUBLISHED_AFTER_MS;
}

function numbersOf(operation: Operation): readonly number[] {
  if (operation.type === "write") return [operation.number];
  return operation.type === "run" ? operation.items.map(({ number }) => number) : [];
}

function defined<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}
