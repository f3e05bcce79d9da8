import { DomainError } from "../../resource/errors.js";
import { type KindRef, kindId } from "../../resource/key.js";
import type { DueHint } from "../log/change-log.js";
import { Dispatcher, type OnUnclaimed } from "./dispatcher.js";
import type { LeaseQuery, MarkedItem } from "./lease-query.js";
import type { KnownSession } from "./sessions.js";
import { Waiter } from "./waiter.js";

/** Waiting Lease calls of a replica (I9); one more is refused. */
const MAX_WAITERS = 10_000;

/** Dispatchers kept while nobody waits, because they know whose turn it is: a worker's calls come one after the other. */
const MAX_IDLE_KINDS = 1_000;

/** Holds the waiting Lease calls of this replica and brings rings to the dispatchers of their kinds. */
export class WaitingRoom {
  readonly #query: LeaseQuery;
  readonly #onUnclaimed: OnUnclaimed;
  readonly #dispatchers = new Map<string, { readonly kind: KindRef; readonly dispatcher: Dispatcher }>();
  readonly #waiters = new Set<Waiter>();
  #closed: DomainError | undefined;

  constructor(query: LeaseQuery, onUnclaimed: OnUnclaimed) {
    this.#query = query;
    this.#onUnclaimed = onUnclaimed;
  }

  /** Kinds somebody waits for. */
  get kinds(): KindRef[] {
    return [...this.#dispatchers.values()].filter(({ dispatcher }) => !dispatcher.isIdle).map(({ kind }) => kind);
  }

  /**
   * Waits up to `waitMs` for leases; none when nothing came due. Rejects with the signal's reason when it aborts,
   * SESSION_NOT_FOUND when a look finds the session gone, OVERLOADED when too many calls wait.
   */
  async wait(
    session: KnownSession,
    maxItems: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<readonly MarkedItem[]> {
    signal.throwIfAborted();
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#waiters.size >= MAX_WAITERS) {
      throw new DomainError(
        "RESOURCE_EXHAUSTED",
        "OVERLOADED",
        `${MAX_WAITERS} Lease calls are waiting on this server already; retry later, or lease with one call per session`,
      );
    }
    const waiter = new Waiter(session, maxItems);
    const onAbort = () => waiter.fail(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const timer = setTimeout(() => waiter.expire(), waitMs);
    this.#waiters.add(waiter);
    for (const kind of session.kinds) this.#dispatcherOf(kind).add(waiter);
    try {
      return await waiter.result;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      this.#waiters.delete(waiter);
      for (const kind of session.kinds) this.#leave(kind, waiter);
    }
  }

  /** Work of these kinds comes due. */
  ring(hints: readonly DueHint[]): void {
    for (const hint of hints) this.#dispatchers.get(kindId(hint))?.dispatcher.ring(hint.inMs);
  }

  /** A session holds fewer leases now. Its calls look again, whether they found it full or are about to: the look sees the past. */
  lookAgain(sessionId: string): void {
    for (const { session } of this.#waiters) {
      if (session.sessionId !== sessionId) continue;
      for (const kind of session.kinds) this.#dispatchers.get(kindId(kind))?.dispatcher.lookAgain();
    }
  }

  /** Ends the waiting calls of sessions that are over. */
  endSessions(sessionIds: readonly string[], error: (sessionId: string) => DomainError): void {
    for (const waiter of this.#waiters) {
      const { sessionId } = waiter.session;
      if (sessionIds.includes(sessionId)) waiter.fail(error(sessionId));
    }
  }

  /** Ends all waiting calls, and refuses new ones, with `error`. */
  close(error: DomainError): void {
    this.#closed = error;
    for (const waiter of this.#waiters) waiter.fail(error);
  }

  #dispatcherOf(kind: KindRef): Dispatcher {
    const id = kindId(kind);
    let entry = this.#dispatchers.get(id);
    if (entry === undefined) {
      entry = { kind, dispatcher: new Dispatcher(kind, this.#query, this.#onUnclaimed) };
      this.#dispatchers.set(id, entry);
    }
    return entry.dispatcher;
  }

  #leave(kind: KindRef, waiter: Waiter): void {
    const entry = this.#dispatchers.get(kindId(kind));
    if (entry === undefined) return;
    entry.dispatcher.remove(waiter);
    // One that is looking stays: a second one for the kind would make a second query.
    if (this.#dispatchers.size > MAX_IDLE_KINDS && entry.dispatcher.isIdle && !entry.dispatcher.isLooking)
      this.#dispatchers.delete(kindId(kind));
  }
}
