/** How a pass ended well. `status` undefined: leave it as it is. */
export type PassOutcome<Status> =
  | { readonly type: "done"; readonly status: Status | undefined }
  | { readonly type: "requeue"; readonly afterMs: number; readonly status: Status | undefined };

/** 30 days, the longest the server keeps a requeue. */
const LONGEST_REQUEUE_MS = 30 * 24 * 60 * 60 * 1000;

/** Reality is as declared; for a deleting resource: everything is cleaned up. `status` replaces the stored one. */
export function done<Status>(status?: Status): PassOutcome<Status> {
  return { type: "done", status };
}

/**
 * Not there yet, or worth a look later: the next pass is in `ms` (1 ms to 30 days), or earlier when something changes.
 * The generation does not count as observed. `status` replaces the stored one.
 */
export function requeueAfter<Status>(ms: number, status?: Status): PassOutcome<Status> {
  if (!(ms >= 1 && ms <= LONGEST_REQUEUE_MS)) throw new RangeError(`requeueAfter must be 1 ms to 30 days, not ${ms}`);
  return { type: "requeue", afterMs: Math.round(ms), status };
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
