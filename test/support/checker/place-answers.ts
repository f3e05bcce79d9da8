/** Finds what each answer speaks of in the log, and bounds when it was committed: judges what was said to be stored, or not to be. */
import {
  describeCall,
  type Failure,
  type Marked,
  type Operation,
  type RunCall,
  type Shown,
  type WriteCall,
} from "./operation.js";
import type { Version, Versions } from "./versions.js";
import type { Windows } from "./windows.js";

/** Judges every answer against the log, and gives the windows their bounds. */
export function placeAnswers(
  operations: readonly Operation[],
  versions: Versions,
  windows: Windows,
): readonly string[] {
  return operations.flatMap((operation) => place(operation, versions, windows));
}

function place(operation: Operation, versions: Versions, windows: Windows): readonly string[] {
  switch (operation.type) {
    case "write":
      return placeWrite(operation, versions, windows);
    case "run":
      return placeRun(operation, versions, windows);
    case "read": {
      const { outcome, invokedAt, completedAt, consistency } = operation;
      if (outcome.type !== "done" || outcome.shown === undefined) return [];
      const { version, flaws } = find(operation, outcome.shown, versions);
      // A cached state may be old, but not from the future.
      if (version !== undefined && consistency === "cached") windows.notAfter(version, completedAt, operation);
      else if (version !== undefined) windows.sawBetween(version, invokedAt, completedAt, operation);
      return flaws;
    }
    case "list":
      return operation.pages.flatMap(({ invokedAt, completedAt, shown }) =>
        shown.flatMap((each) => {
          const { version, flaws } = find(operation, each, versions);
          if (version !== undefined) windows.sawBetween(version, invokedAt, completedAt, operation);
          return flaws;
        }),
      );
    case "enqueue":
      return [];
  }
}

function placeWrite(write: WriteCall, versions: Versions, windows: Windows): readonly string[] {
  const { outcome, invokedAt, completedAt, verb, number } = write;
  const stored = versions.writtenBy(number);
  if (outcome.type !== "done") return placeFailed(write, write, outcome, versions, windows);
  const { shown, isRemoved, isUnchanged } = outcome;
  if (shown === undefined) return [];
  if (isRemoved) {
    const version = versions.removalOf(shown.uid);
    if (version === undefined) return [`${describeCall(write)} was told that ${shown.uid} is gone, and it is not`];
    windows.notBefore(version, invokedAt, write);
    windows.notAfter(version, completedAt, write);
    return verb === "delete" ? [] : judgeOnce(write, write, stored, version);
  }
  const { version, flaws } = find(write, shown, versions);
  if (version === undefined) return flaws;
  // A deletion that was requested before is found in place.
  if (isUnchanged || verb === "delete") {
    windows.sawBetween(version, invokedAt, completedAt, write);
    return [...flaws, ...stored.map((each) => `${describeCall(write)} said UNCHANGED and made ${each.revision}`)];
  }
  windows.notBefore(version, invokedAt, write);
  windows.notAfter(version, completedAt, write);
  return [...flaws, ...judgeOnce(write, write, stored, version)];
}

function placeRun(run: RunCall, versions: Versions, windows: Windows): readonly string[] {
  const { items, outcome, invokedAt, completedAt } = run;
  const stored = items.flatMap(({ number }) => versions.writtenBy(number));
  const flaws = judgeWhole(run, stored);
  if (outcome.type !== "done") {
    return [...flaws, ...items.flatMap((item) => placeFailed(run, item, outcome, versions, windows))];
  }
  const judged = items.flatMap((item, i) => {
    const result = outcome.results[i];
    if (result === undefined) return [`${describeCall(run)} has no result for ${item.key}`];
    const version = versions.at(result.revision);
    if (version === undefined || version.key !== item.key || version.event?.uid !== result.uid)
      return [`${describeCall(run)} was told that ${item.key} stands at ${result.revision}, and it does not`];
    if (result.isUnchanged) {
      windows.sawBetween(version, invokedAt, completedAt, run);
      return [];
    }
    windows.notBefore(version, invokedAt, run);
    windows.notAfter(version, completedAt, run);
    return judgeOnce(run, item, versions.writtenBy(item.number), version);
  });
  return [...flaws, ...judged];
}

/** All items of a run are written in one transaction, or none is. */
function judgeWhole(run: RunCall, stored: readonly Version[]): readonly string[] {
  const unchanged = run.outcome.type === "done" ? run.outcome.results.filter(({ isUnchanged }) => isUnchanged) : [];
  const batches = new Set(stored.map(({ event }) => event?.fingerprint));
  const isWhole = stored.length === 0 || (batches.size === 1 && stored.length === run.items.length - unchanged.length);
  if (isWhole) return [];
  const revisions = stored.map(({ revision }) => revision);
  return [
    `${describeCall(run)} is not atomic: of ${run.items.length} there are ${revisions}, in ${batches.size} batches`,
  ];
}

/** Of a refused write nothing is stored, now or later; of one without an answer at most once. */
function placeFailed(
  call: WriteCall | RunCall,
  item: Marked,
  failure: Failure,
  versions: Versions,
  windows: Windows,
): readonly string[] {
  const stored = versions.writtenBy(item.number);
  for (const version of stored) windows.notBefore(version, call.invokedAt, call);
  const revisions = stored.map(({ revision }) => revision);
  if (failure.type === "refused" && stored.length > 0)
    return [`${describeCall(call)} was refused with ${failure.code} ${failure.reason} and is stored as ${revisions}`];
  return stored.length > 1 ? [`${describeCall(call)} is stored more than once: ${revisions}`] : [];
}

/** What was acknowledged is stored in its place, with what was sent, and nowhere else. */
function judgeOnce(
  call: WriteCall | RunCall,
  { payload, number }: Marked,
  stored: readonly Version[],
  version: Version,
): readonly string[] {
  const revisions = stored.map(({ revision }) => revision);
  if (stored.length !== 1 || stored[0] !== version)
    return [`${describeCall(call)}: ${number} was acknowledged as ${version.revision} and is stored as [${revisions}]`];
  const isForce = call.type === "write" && call.verb === "force";
  const isStatus = call.type === "write" && call.verb === "status";
  const text = isStatus ? version.event?.status : version.event?.spec;
  return isForce || text === payload ? [] : [`${describeCall(call)} is stored as ${text} instead of ${payload}`];
}

/** The version that an answer shows; it must be in the log, exactly so. */
function find(
  call: Operation,
  { key, uid, revision, body }: Shown,
  versions: Versions,
): { readonly version: Version | undefined; readonly flaws: readonly string[] } {
  const version = versions.at(revision);
  const isIt = version?.exists && version.key === key && version.event?.uid === uid && version.event.body === body;
  if (isIt) return { version, flaws: [] };
  const logged = version === undefined ? "has nothing there" : `has ${version.event?.type} of ${version.key} there`;
  return { version: undefined, flaws: [`${describeCall(call)} was shown ${key} at ${revision}; the log ${logged}`] };
}
