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

/** 30 days, the longest the server keeps a requeue. */
const LONGEST_REQUEUE_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Reality is as declared; for a deleting resource: everything is cleaned up. `status` replaces the stored one, or with
 * `{ merge: true }` is a JSON Merge Patch of it.
 */
export function done<Status>(status?: Status): PassOutcome<Status>;
export function done<Status>(patch: StatusPatch<Status>, option: MergeOption): PassOutcome<Status>;
export function done<Status>(status?: Status | StatusPatch<Status>, option?: MergeOption): PassOutcome<Status> {
  return { type: "done", status, isMerge: option !== undefined };
}

/**
 * Not there yet, or worth a look later: the next pass is in `ms` (1 ms to 30 days), or earlier when something changes.
 * The generation does not count as observed. `status` is as in `done`.
 */
export function requeueAfter<Status>(ms: number, status?: Status): PassOutcome<Status>;
export function requeueAfter<Status>(ms: number, patch: StatusPatch<Status>, option: MergeOption): PassOutcome<Status>;
export function requeueAfter<Status>(
  ms: number,
  status?: Status | StatusPatch<Status>,
  option?: MergeOption,
): PassOutcome<Status> {
  if (!(ms >= 1 && ms <= LONGEST_REQUEUE_MS)) throw new RangeError(`requeueAfter must be 1 ms to 30 days, not ${ms}`);
  return { type: "requeue", afterMs: Math.round(ms), status, isMerge: option !== undefined };
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
