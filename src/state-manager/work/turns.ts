import type { Priority } from "../../resource/work.js";
import type { MarkedItem } from "./lease-query.js";

/**
 * Every class with ready items, the most urgent one apart, gets one of so many leases: a little more than the tenth that is
 * promised, so that what is still owed at the end of a count does not make it less.
 */
const LEASES_PER_CREDIT = 9;

/** Leases a class may be owed: two tenths of the largest answer. */
const MAX_OWED = 200;

/** What MARK_TURNS does next: looks at `taken` items of a class in the order of its turns, after the first `skipped`. */
export interface Step {
  readonly priority: Priority;
  /** The namespace that was served last. */
  readonly after: string;
  readonly skipped: number;
  readonly taken: number;
}

/**
 * Whose turn it is in one kind: the namespace each class served last, what less urgent classes are owed, and which sessions had
 * a struck item last. In memory of one replica: losing it costs a namespace its place in one round, never a pass.
 */
export class Turns {
  readonly #served = new Map<Priority, string>();
  /** In leases of any class; `LEASES_PER_CREDIT` of them are worth one. */
  readonly #credits = new Map<Priority, number>();
  readonly #afterSolo = new WeakSet<object>();

  /**
   * How to lease `items` of the classes in `ready` (most urgent first): what is owed first, and of that the largest debt, then
   * class by class. Steps look at more than is needed, because other replicas may hold the same items at this moment.
   */
  plan(ready: readonly Priority[], items: number): Step[] {
    const owed = ready
      .slice(1)
      .map((priority) => ({ priority, credit: this.#credits.get(priority) ?? 0 }))
      .sort((a, b) => b.credit - a.credit)
      .map(({ priority, credit }) => ({ priority, taken: Math.min(items, Math.floor(credit / LEASES_PER_CREDIT)) }))
      .filter(({ taken }) => taken > 0);
    const skipped = new Map(owed.map(({ priority, taken }) => [priority, taken]));
    const step = (priority: Priority) => ({ priority, after: this.#served.get(priority) ?? "" });
    return [
      ...owed.map(({ priority, taken }) => ({ ...step(priority), skipped: 0, taken })),
      ...ready.map((priority) => ({ ...step(priority), skipped: skipped.get(priority) ?? 0, taken: 2 * items + 16 })),
    ];
  }

  /** Takes note of what a look at the classes in `ready` leased to the session, in the order of hand-out. */
  served(session: object, ready: readonly Priority[], items: readonly MarkedItem[]): void {
    if (items.some((item) => item.isSolo)) {
      this.#afterSolo.add(session);
      return;
    }
    if (items.length > 0) this.#afterSolo.delete(session);
    for (const { priority, key } of items) this.#served.set(priority, key.namespace);
    for (const priority of ready.slice(1)) {
      const got = items.filter((item) => item.priority === priority).length;
      const credit = (this.#credits.get(priority) ?? 0) + items.length - got * LEASES_PER_CREDIT;
      this.#credits.set(priority, Math.max(0, Math.min(MAX_OWED * LEASES_PER_CREDIT, credit)));
    }
  }

  /** Whether the session had a struck item last: then others come first, or many struck ones would hide them. */
  isAfterSolo(session: object): boolean {
    return this.#afterSolo.has(session);
  }
}
