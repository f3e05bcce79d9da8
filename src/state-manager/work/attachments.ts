import { randomUUID } from "node:crypto";
import type { DomainError } from "../../resource/errors.js";
import type { DueHint } from "../log/change-log.js";
import type { Database } from "../store/database.js";
import { ATTACH_SESSION, DETACH_SESSION, type EndedSessionRow } from "../store/statements/sessions.js";
import { strikeLeasesOf } from "./lease-query.js";
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
  readonly #open = new Set<Stream>();
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
    const stream = new Stream(sessionId);
    this.#open.add(stream);
    try {
      while (!signal.aborted) {
        yield { serverTime: new Date() };
        await stream.nextBeat(signal);
      }
    } finally {
      this.#open.delete(stream);
      if (this.#closed === undefined) this.#startGrace(sessionId, attachment);
    }
  }

  /** Ends the streams of sessions that are over. */
  endSessions(sessionIds: readonly string[], error: (sessionId: string) => DomainError): void {
    for (const stream of this.#open) if (sessionIds.includes(stream.sessionId)) stream.end(error(stream.sessionId));
  }

  /** Ends all streams with `error` and returns no leases: the workers live on and attach elsewhere. */
  async close(error: DomainError): Promise<void> {
    this.#closed = error;
    for (const grace of this.#graces) clearTimeout(grace);
    this.#graces.clear();
    for (const stream of this.#open) stream.end(error);
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
        const detached = await connection.query<EndedSessionRow>(DETACH_SESSION, [sessionId, attachment]);
        return strikeLeasesOf(connection, detached, "its connection ended");
      });
      this.#events.onDue(due);
    } catch (error) {
      this.#events.onError(error);
    }
  }
}

/** One open Attach stream. */
class Stream {
  readonly sessionId: string;
  #error: DomainError | undefined;
  #wake: () => void = () => {};

  constructor(sessionId: string) {
    this.sessionId = sessionId;
  }

  /** Ends the stream with `error` at its next beat, which comes at once. */
  end(error: DomainError): void {
    this.#error = error;
    this.#wake();
  }

  /** Resolves after a heartbeat's time or when `signal` aborts; rejects when the stream was ended. */
  async nextBeat(signal: AbortSignal): Promise<void> {
    // No race with a long-lived promise: each beat would leave a reaction on it for as long as the stream lives.
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#wake(), HEARTBEAT_MS);
      this.#wake = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", this.#wake);
        resolve();
      };
      signal.addEventListener("abort", this.#wake, { once: true });
      if (signal.aborted || this.#error !== undefined) this.#wake();
    });
    if (this.#error !== undefined) throw this.#error;
  }
}
