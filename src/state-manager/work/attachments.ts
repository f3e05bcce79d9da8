import { randomUUID } from "node:crypto";
import type { DomainError } from "../../resource/errors.js";
import type { DueHint } from "../log/change-log.js";
import type { Database } from "../store/database.js";
import { ATTACH_SESSION, DETACH_SESSION, type SessionRow } from "../store/statements/sessions.js";
import { returnLeasesOf } from "./lease-query.js";
import { sessionNotFound } from "./sessions.js";

/** How long a worker whose stream broke has to attach again before its leases go to others. */
const GRACE_MS = 500;

/** Keeps proxies from closing a quiet stream, and both ends from trusting a dead one. */
const HEARTBEAT_MS = 5_000;

/** What Attachments tell. */
export interface AttachmentEvents {
  /** The leases of a worker that went away came due. */
  readonly onDue: (hints: readonly DueHint[]) => void;
  /** Returning them failed; they return when the session expires. */
  readonly onError: (error: unknown) => void;
}

/**
 * The Attach streams of this replica. Its client's end means the worker is gone: after a grace its leases are returned, unless it
 * attached again, here or at another replica. The server's end means nothing.
 */
export class Attachments {
  readonly #database: Database;
  readonly #events: AttachmentEvents;
  /** How to end each open stream, by attachment. */
  readonly #open = new Map<string, { readonly sessionId: string; readonly end: (error: DomainError) => void }>();
  readonly #graces = new Set<NodeJS.Timeout>();
  readonly #returning = new Set<Promise<void>>();
  #closed: DomainError | undefined;

  constructor(database: Database, events: AttachmentEvents) {
    this.#database = database;
    this.#events = events;
  }

  /** Attaches, then yields at once and every 5 s, until `signal` aborts or the session is ended here. `sessionId` is a UUID. */
  async *attach(sessionId: string, signal: AbortSignal): AsyncGenerator<{ readonly serverTime: Date }> {
    const attachment = randomUUID();
    const rows = await this.#database.query(ATTACH_SESSION, [sessionId, attachment]);
    if (rows.length === 0) throw sessionNotFound(sessionId);
    if (this.#closed !== undefined) throw this.#closed;
    const { promise: ended, reject } = withReject();
    this.#open.set(attachment, { sessionId, end: reject });
    try {
      while (!signal.aborted) {
        yield { serverTime: new Date() };
        await nextBeat(ended, signal);
      }
    } finally {
      this.#open.delete(attachment);
      if (this.#closed === undefined) this.#startGrace(sessionId, attachment);
    }
  }

  /** Ends the streams of sessions that are over. */
  endSessions(sessionIds: readonly string[], error: (sessionId: string) => DomainError): void {
    for (const { sessionId, end } of this.#open.values()) if (sessionIds.includes(sessionId)) end(error(sessionId));
  }

  /** Ends all streams with `error` and returns no leases: the workers live on and attach elsewhere. */
  async close(error: DomainError): Promise<void> {
    this.#closed = error;
    for (const grace of this.#graces) clearTimeout(grace);
    this.#graces.clear();
    for (const { end } of this.#open.values()) end(error);
    await Promise.all(this.#returning);
  }

  #startGrace(sessionId: string, attachment: string): void {
    const grace = setTimeout(() => {
      this.#graces.delete(grace);
      const returning = this.#returnLeases(sessionId, attachment).finally(() => this.#returning.delete(returning));
      this.#returning.add(returning);
    }, GRACE_MS);
    this.#graces.add(grace);
  }

  async #returnLeases(sessionId: string, attachment: string): Promise<void> {
    try {
      const due = await this.#database.transaction(async (connection) => {
        const detached = await connection.query<SessionRow>(DETACH_SESSION, [sessionId, attachment]);
        return returnLeasesOf(
          connection,
          detached.map((row) => row.session_id),
        );
      });
      this.#events.onDue(due);
    } catch (error) {
      this.#events.onError(error);
    }
  }
}

/** Resolves after a heartbeat's time or when `signal` aborts; rejects when `ended` does. */
async function nextBeat(ended: Promise<never>, signal: AbortSignal): Promise<void> {
  let wake: () => void = () => {};
  const pause = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const timer = setTimeout(wake, HEARTBEAT_MS);
  signal.addEventListener("abort", wake, { once: true });
  try {
    await Promise.race([pause, ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", wake);
  }
}

function withReject(): { readonly promise: Promise<never>; readonly reject: (error: DomainError) => void } {
  let reject: (error: DomainError) => void = () => {};
  const promise = new Promise<never>((_, onReject) => {
    reject = onReject;
  });
  // Awaited only between two beats; a stream may end while its consumer holds the generator.
  promise.catch(() => {});
  return { promise, reject };
}
