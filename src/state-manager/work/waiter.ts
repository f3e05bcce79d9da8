import { type KindRef, kindId } from "../../resource/key.js";
import type { MarkedItem } from "./lease-query.js";
import type { KnownSession } from "./sessions.js";

/**
 * One waiting Lease call. It stands in the dispatchers of all kinds of its session, and one of them serves it at a time
 * (work/SPEC.md, "One waiting Lease call").
 */
export class Waiter {
  readonly session: KnownSession;
  readonly maxItems: number;
  /** Resolves with leases, or with none when time is up. */
  readonly result: Promise<readonly MarkedItem[]>;
  /** Kinds not looked at yet: time is not up before each was, so that a wait of 0 asks what is due now. */
  readonly #unlooked: Set<string>;
  /** Dispatchers that came by while another one served. */
  readonly #missed = new Set<() => void>();
  #isClaimed = false;
  #isTimeUp = false;
  #isDone = false;
  readonly #resolve: (items: readonly MarkedItem[]) => void;
  readonly #reject: (error: unknown) => void;

  constructor(session: KnownSession, maxItems: number) {
    this.session = session;
    this.maxItems = maxItems;
    this.#unlooked = new Set(session.kinds.map(kindId));
    const { promise, resolve, reject } = deferred<readonly MarkedItem[]>();
    this.result = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Reserves the waiter for one look; when another look has it, `retry` is called after that one. */
  claim(retry: () => void): boolean {
    if (this.#isDone) return false;
    if (this.#isClaimed) {
      this.#missed.add(retry);
      return false;
    }
    this.#isClaimed = true;
    return true;
  }

  /** Ends a look at `kind` that found nothing. */
  release(kind: KindRef): void {
    this.#isClaimed = false;
    this.skip(kind);
    const missed = [...this.#missed];
    this.#missed.clear();
    for (const retry of missed) retry();
  }

  /** Counts as a look at `kind` that found nothing: the same look was just made for another waiter. */
  skip(kind: KindRef): void {
    this.#unlooked.delete(kindId(kind));
    this.#finishWhenTimeIsUp();
  }

  /** Hands leases over; false when the call is done already and they must go back. */
  offer(items: readonly MarkedItem[]): boolean {
    if (this.#isDone) return false;
    this.#isDone = true;
    this.#resolve(items);
    return true;
  }

  /** Ends the call with an error; does nothing when it is done. */
  fail(error: unknown): void {
    this.#isDone = true;
    this.#reject(error);
  }

  /** The call's time is up: it ends with nothing once no look is owed or under way. */
  expire(): void {
    this.#isTimeUp = true;
    this.#finishWhenTimeIsUp();
  }

  #finishWhenTimeIsUp(): void {
    if (this.#isTimeUp && !this.#isClaimed && this.#unlooked.size === 0) this.offer([]);
  }
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
