import type { KindRef } from "../../resource/key.js";
import { timerMs } from "../../shared/timer-limit.js";
import type { LeaseQuery, MarkedItem } from "./lease-query.js";
import { type KnownSession, sessionNotFound } from "./sessions.js";
import { Turns } from "./turns.js";
import type { Waiter } from "./waiter.js";

/** Leases whose Lease call ended before they arrived. */
export type OnUnclaimed = (sessionId: string, items: readonly MarkedItem[]) => void;

/**
 * Serves the waiting Lease calls of one kind in order of arrival, with one lease query at a time and one timer for the next due
 * item. Being rung too often is harmless; not being rung costs up to the pulse's 5 s.
 */
export class Dispatcher {
  readonly #kind: KindRef;
  readonly #query: LeaseQuery;
  readonly #onUnclaimed: OnUnclaimed;
  /** In order of arrival. */
  readonly #waiters = new Set<Waiter>();
  readonly #turns = new Turns();
  /** Until when (`performance.now()`) sessions have had their passes: whatever rings, they need not look before. */
  readonly #throttledUntil = new WeakMap<KnownSession, number>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #isLooking = false;
  #isRung = false;
  /** Something came due that no look has seen yet, or the last one left something behind. */
  #isWorkExpected = false;
  /** Sessions that could not lease what was expected last: they are full, or others are faster. They look before they take. */
  readonly #inVain = new WeakSet<KnownSession>();

  constructor(kind: KindRef, query: LeaseQuery, onUnclaimed: OnUnclaimed) {
    this.#kind = kind;
    this.#query = query;
    this.#onUnclaimed = onUnclaimed;
  }

  /** Whether nobody waits here. */
  get isIdle(): boolean {
    return this.#waiters.size === 0;
  }

  /** Whether a lease query is under way. */
  get isLooking(): boolean {
    return this.#isLooking;
  }

  /** Registers the waiter, then looks: work that comes due in between rings for a waiter that is there. */
  add(waiter: Waiter): void {
    this.#waiters.add(waiter);
    this.lookAgain();
  }

  /** Forgets the waiter; safe when it is not there. */
  remove(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    if (this.isIdle) this.#disarm();
  }

  /** Work comes due in `inMs` milliseconds. */
  ring(inMs: number): void {
    if (this.isIdle) return;
    if (inMs > 0) this.#arm(inMs);
    else {
      this.#isWorkExpected = true;
      void this.#look();
    }
  }

  /** A waiter may be able to take what it could not before. */
  readonly lookAgain = (): void => {
    if (!this.isIdle) void this.#look();
  };

  /** Looks until no ring came during the last round. Never rejects: a waiter takes the error of its look. */
  async #look(): Promise<void> {
    this.#isRung = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    while (this.#isRung) {
      this.#isRung = false;
      await this.#round();
    }
    this.#isLooking = false;
  }

  /** One look per waiter, except where the same look was just made in vain. */
  async #round(): Promise<void> {
    const vain = new Set<string>();
    for (const waiter of [...this.#waiters]) {
      const { shardIds } = waiter.session;
      const throttledMs = (this.#throttledUntil.get(waiter.session) ?? 0) - performance.now();
      if (throttledMs > 0) {
        this.#arm(throttledMs);
        waiter.skip(this.#kind);
        continue;
      }
      const filter = JSON.stringify(shardIds);
      if (vain.has(filter)) waiter.skip(this.#kind);
      else if (waiter.claim(this.lookAgain) && (await this.#serve(waiter)) === "nothing due") vain.add(filter);
    }
  }

  async #serve(waiter: Waiter): Promise<"nothing due" | "done"> {
    const { session, maxItems } = waiter;
    const isExpected = this.#isWorkExpected && !this.#inVain.has(session);
    this.#isWorkExpected = false;
    try {
      const look = await this.#query.look({ session, kind: this.#kind, maxItems, turns: this.#turns, isExpected });
      if (look.type === "leased") this.#inVain.delete(session);
      else if (isExpected) this.#inVain.add(session);
      switch (look.type) {
        case "leased":
          // As many as were asked for: there are probably more. One says nothing.
          if (maxItems > 1 && look.items.length === maxItems) this.#isWorkExpected = true;
          if (!waiter.offer(look.items)) this.#onUnclaimed(session.sessionId, look.items);
          return "done";
        case "gone":
          waiter.fail(sessionNotFound(session.sessionId));
          return "done";
        case "full":
          waiter.release(this.#kind);
          return "done";
        case "throttled":
          this.#throttledUntil.set(session, performance.now() + look.nextInMs);
          this.#arm(look.nextInMs);
          waiter.release(this.#kind);
          return "done";
        case "waits":
        case "nothing":
          if (look.nextInMs !== undefined) this.#arm(look.nextInMs);
          waiter.release(this.#kind);
          return look.type === "nothing" ? "nothing due" : "done";
      }
    } catch (error) {
      waiter.fail(error);
      return "done";
    }
  }

  #arm(inMs: number): void {
    const at = performance.now() + inMs;
    if (this.isIdle || at >= this.#timerAt) return;
    this.#disarm();
    this.#timerAt = at;
    // For what comes due later still, the pulse looks long before.
    this.#timer = setTimeout(() => {
      this.#disarm();
      this.lookAgain();
    }, timerMs(inMs));
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timerAt = Number.POSITIVE_INFINITY;
  }
}
