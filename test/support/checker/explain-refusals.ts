/** Whether what clients were refused, and what they did not find, can be explained by a state of that time. */
import {
  describeCall,
  type EnqueueCall,
  type Failure,
  type ListCall,
  type Operation,
  type WriteCall,
} from "./operation.js";
import type { Version } from "./versions.js";
import type { Windows } from "./windows.js";

type Claim = (version: Version) => boolean;
/** Whether a key may have been in a state of which the claim is true, while the call was under way. */
type Fits = (key: string, claim: Claim) => boolean;

const isAbsent: Claim = ({ exists }) => !exists;
const exists: Claim = ({ exists }) => exists;
const isGoing: Claim = ({ exists, event }) => !exists || event?.isDeleting === true;

/** Codes with which a server says that it did nothing, and nothing about the resource. */
const OVERLOAD_OR_AWAY = ["UNAVAILABLE", "RESOURCE_EXHAUSTED"];

/** Judges refusals, NOT_FOUND and what lists leave out. */
export function explainRefusals(
  operations: readonly Operation[],
  windows: Windows,
  keysOfKind: (kind: string) => Iterable<string>,
): readonly string[] {
  return operations.flatMap((operation) => explain(operation, windows, keysOfKind));
}

function explain(
  operation: Operation,
  windows: Windows,
  keysOfKind: (kind: string) => Iterable<string>,
): readonly string[] {
  const { invokedAt, completedAt } = operation;
  const fits = (key: string, claim: Claim) => windows.possible(key, invokedAt, completedAt).some(claim);
  switch (operation.type) {
    case "read": {
      const { outcome, key } = operation;
      if (outcome.type !== "done") return judgeFailure(operation, outcome);
      if (outcome.shown !== undefined || fits(key, isAbsent)) return [];
      return [`${describeCall(operation)} found nothing, though it was there all the time`];
    }
    case "list":
      return explainList(operation, keysOfKind(operation.kind), fits);
    case "run": {
      const { outcome, items } = operation;
      if (outcome.type === "done") return [];
      const isExplained = items.some((item) => explains(item.key, item.owner, undefined, outcome, fits));
      return isExplained ? [] : judgeFailure(operation, outcome);
    }
    case "enqueue":
    case "write":
      return explainWrite(operation, fits);
  }
}

/** A list has what was there all the time, once. */
function explainList(list: ListCall, keys: Iterable<string>, fits: Fits): readonly string[] {
  if (list.failure !== undefined) return judgeFailure(list, list.failure);
  const shown = list.pages.flatMap((page) => page.shown);
  const listed = new Set(shown.map(({ key }) => key));
  const isOut: Claim = ({ exists, event }) => !exists || (list.tier !== undefined && event?.labels.tier !== list.tier);
  const missing = [...keys].filter((key) => !listed.has(key) && !fits(key, isOut));
  const isTwice = new Set(shown.map(({ uid }) => uid)).size < shown.length;
  return [
    ...missing.map((key) => `${describeCall(list)} leaves out ${key}`),
    ...(isTwice ? [`${describeCall(list)} has a resource twice`] : []),
  ];
}

function explainWrite(call: WriteCall | EnqueueCall, fits: Fits): readonly string[] {
  const { outcome, key } = call;
  if (outcome.type !== "done") {
    const write = call.type === "write" ? call : undefined;
    return explains(key, write?.owner, write, outcome, fits) ? [] : judgeFailure(call, outcome);
  }
  if (call.type === "enqueue") return fits(key, exists) ? [] : [`${describeCall(call)} was accepted for nothing`];
  // A deletion by REST is answered without a state.
  return call.outcome.type !== "done" || call.outcome.shown !== undefined || fits(key, isGoing)
    ? []
    : [`${describeCall(call)} was done, and the resource stayed`];
}

/** Whether some state of that time is a reason for the refusal. */
function explains(
  key: string,
  owner: string | undefined,
  write: WriteCall | undefined,
  { type, code, reason }: Failure,
  fits: Fits,
): boolean {
  if (type === "unknown") return true;
  const { uid, revision, generation } = write?.guard ?? {};
  switch (reason || code) {
    case "ALREADY_EXISTS":
      return write?.verb === "create" && fits(key, exists);
    case "NOT_FOUND":
      return write?.verb !== "create" && write?.verb !== "apply" && fits(key, isAbsent);
    case "FINALIZER_NOT_FOUND":
      return (
        write?.verb === "force" && fits(key, (v) => v.exists && v.event?.finalizers.includes(write.payload) === false)
      );
    case "UID_CONFLICT":
      return uid !== undefined && fits(key, (v) => v.exists && v.event?.uid !== uid);
    case "REVISION_CONFLICT":
      return revision !== undefined && fits(key, (v) => v.exists && v.revision !== revision);
    case "SHARD_CONFLICT":
      return revision !== undefined && fits(key, exists);
    case "GENERATION_CONFLICT":
      return generation !== undefined && fits(key, (v) => v.exists && v.event?.generation !== generation);
    case "OWNER_NOT_FOUND":
      return owner !== undefined && fits(owner, isAbsent);
    case "OWNER_DELETING":
      return owner !== undefined && fits(owner, (v) => v.event?.isDeleting === true);
    case "FINALIZER_ADDED_WHILE_DELETING":
      return fits(key, (v) => v.event?.isDeleting === true);
    default:
      return OVERLOAD_OR_AWAY.includes(code);
  }
}

/** A failure that no state of the resource explains. */
function judgeFailure(operation: Operation, { type, code, reason }: Failure): readonly string[] {
  if (type === "unknown" || OVERLOAD_OR_AWAY.includes(code)) return [];
  return [`${describeCall(operation)} failed without a reason: ${code} ${reason}`];
}
