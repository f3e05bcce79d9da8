import { describeValue } from "./describe-error.js";

/** How a pass ended well. `status` undefined: leave it as it is. */
export type PassOutcome<Status> = (
  | { readonly type: "done" }
  | { readonly type: "requeue"; readonly afterMs: number }
) & { readonly status: Status | StatusPatch<Status> | undefined; readonly isMerge: boolean };

/** A JSON Merge Patch (RFC 7396) of a status: what it names is set, null removes a member, the rest stays. */
export type StatusPatch<Status> = {
  readonly [Member in keyof Status]?:
    | (Status[Member] extends object ? StatusPatch<Status[Member]> : Status[Member])
    | null;
};

/** Makes a status a patch of the stored one. */
export interface MergeOption {
  readonly merge: true;
}

/** 30 days, the longest the server keeps a requeue, and what it takes for "at once". */
const LONGEST_REQUEUE_MS = 30 * 24 * 60 * 60 * 1000;
const SHORTEST_REQUEUE_MS = 1;

/**
 * Reality is as declared; for a deleting resource: everything is cleaned up. `status` replaces the stored one, or with
 * `{ merge: true }` is a JSON Merge Patch of it. It must be a JSON value: a Map, a Date, NaN and whatever else JSON.stringify would
 * turn into something different makes the pass fail with the path; a member that is undefined is left out.
 */
export function done<Status>(status?: Status): PassOutcome<Status>;
export function done<Status>(patch: StatusPatch<Status>, option: MergeOption): PassOutcome<Status>;
export function done<Status>(status?: Status | StatusPatch<Status>, option?: MergeOption): PassOutcome<Status> {
  return { type: "done", status, isMerge: option !== undefined };
}

/**
 * Not there yet, or worth a look later: the next pass is in `ms`, or earlier when something changes. A time that has passed (0 or
 * less) means at once, and 1 s from the second time in a row; more than 30 days means 30 days. The generation does not count as
 * observed. `status` is as in `done`. Throws RangeError when `ms` is no number.
 */
export function requeueAfter<Status>(ms: number, status?: Status): PassOutcome<Status>;
export function requeueAfter<Status>(ms: number, patch: StatusPatch<Status>, option: MergeOption): PassOutcome<Status>;
export function requeueAfter<Status>(
  ms: number,
  status?: Status | StatusPatch<Status>,
  option?: MergeOption,
): PassOutcome<Status> {
  if (typeof ms !== "number" || Number.isNaN(ms)) {
    throw new RangeError(`requeueAfter takes a number of milliseconds, not ${describeValue(ms)}`);
  }
  const afterMs = Math.round(Math.min(Math.max(ms, SHORTEST_REQUEUE_MS), LONGEST_REQUEUE_MS));
  return { type: "requeue", afterMs, status, isMerge: option !== undefined };
}

/** What a pass returned, which only the compiler promised to be an outcome. Throws TypeError when it is none. */
export function checkOutcome(outcome: unknown): PassOutcome<unknown> {
  const type = typeof outcome === "object" && outcome !== null && "type" in outcome ? outcome.type : undefined;
  // Only `done` and `requeueAfter` make one of these types.
  if (type === "done" || type === "requeue") return outcome as PassOutcome<unknown>;
  throw new TypeError(`a pass must return done(…) or requeueAfter(…), not ${describeValue(outcome)}`);
}

/**
 * Throw it when trying again cannot help until the resource changes: it becomes the condition Ready = False with this
 * reason, and the pass counts as finished. On a deleting resource it is retried like any error, because giving up there
 * would leave something behind.
 */
export class TerminalError extends Error {
  override readonly name = "TerminalError";
  /** One CamelCase word, for example `InvalidSpec`. */
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
