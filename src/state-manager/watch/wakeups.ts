import type { Change, Position } from "../../resource/change.js";
import type { ResourceFilter } from "../../resource/resource-filter.js";
import { filterId, toWatchEvent } from "./event-filter.js";
import { FilterIndex } from "./filter-index.js";

/** What wakes watches, and when. */
export interface WakeupsOptions {
  /** Least time between two wake-ups: with hundreds of watchers the wake-up costs more than the event. */
  readonly spacingMs: number;
  /** The newest position of every log. */
  readonly heads: () => readonly Position[];
  /** Told how many watches are woken. */
  readonly onWake?: (watches: number) => void;
}

/** Called once for each wait that news ends; `positions`: see `Wait.forMatch`, undefined after `Wait.forAny`. */
export type OnNews = (positions: readonly Position[] | undefined) => void;

/** Waits that are woken together. */
class WaitSet {
  readonly waits = new Set<Wait>();
  readonly isForMatch: boolean;
  /** Set when they are marked to be woken: the positions before the news. */
  positions: readonly Position[] | undefined;

  constructor(isForMatch: boolean) {
    this.isForMatch = isForMatch;
  }
}

/** The watches of one filter. */
interface Group {
  readonly filter: ResourceFilter;
  members: number;
  waiting: WaitSet;
}

/** How one watch waits for news. It waits once at a time. */
export class Wait {
  readonly #place: (isForMatch: boolean) => WaitSet;
  readonly #heads: () => readonly Position[];
  readonly #onNews: OnNews;
  readonly #leave: () => void;
  #waitsIn: WaitSet | undefined;

  /** Made by `Wakeups.join`. */
  constructor(options: {
    readonly place: (isForMatch: boolean) => WaitSet;
    readonly heads: () => readonly Position[];
    readonly onNews: OnNews;
    readonly leave: () => void;
  }) {
    this.#place = options.place;
    this.#heads = options.heads;
    this.#onNews = options.onNews;
    this.#leave = options.leave;
  }

  /**
   * Begins to wait, standing at the heads of all logs, for a change that the filter makes an event of. What comes before that
   * change does not concern the watch: it is woken with the positions right before it, and goes on from there.
   */
  forMatch(): void {
    this.#begin(true);
  }

  /** Begins to wait for any news, standing anywhere. */
  forAny(): void {
    this.#begin(false);
  }

  /**
   * Ends the wait. Returns the positions that a wait for a match has reached: the heads, or those before a change that concerns
   * it. Undefined: it did not wait for a match.
   */
  stop(): readonly Position[] | undefined {
    const set = this.#waitsIn;
    this.#waitsIn = undefined;
    set?.waits.delete(this);
    return set?.isForMatch ? (set.positions ?? this.#heads()) : undefined;
  }

  /** The watch ends; to be called once. */
  leave(): void {
    this.stop();
    this.#leave();
  }

  /** Called by `Wakeups`. */
  wake(positions: readonly Position[] | undefined): void {
    this.#waitsIn = undefined;
    this.#onNews(positions);
  }

  #begin(isForMatch: boolean): void {
    this.stop();
    this.#waitsIn = this.#place(isForMatch);
    this.#waitsIn.waits.add(this);
  }
}

/**
 * Wakes the watches that news concerns, and no others: a change costs the watches whose filters it matches, not those that exist.
 * It wakes once per batch of news and at most every `spacingMs`; the first news after a quiet time wakes at once.
 */
export class Wakeups {
  readonly #options: WakeupsOptions;
  readonly #groups = new Map<string, Group>();
  readonly #index = new FilterIndex<Group>();
  /** The watches that wait for any news. */
  #any = new WaitSet(false);
  /** Those to be woken next. */
  #marked: WaitSet[] = [];
  #timer: NodeJS.Timeout | undefined;
  #lastWakeAt = Number.NEGATIVE_INFINITY;

  constructor(options: WakeupsOptions) {
    this.#options = options;
  }

  /** A watch of `filter` begins. */
  join(filter: ResourceFilter, onNews: OnNews): Wait {
    const id = filterId(filter);
    const group: Group = this.#groups.get(id) ?? { filter, members: 0, waiting: new WaitSet(true) };
    if (group.members === 0) {
      this.#groups.set(id, group);
      this.#index.add(filter, group);
    }
    group.members += 1;
    return new Wait({
      place: (isForMatch) => (isForMatch ? group.waiting : this.#any),
      heads: this.#options.heads,
      onNews,
      leave: () => {
        group.members -= 1;
        if (group.members > 0) return;
        this.#groups.delete(id);
        this.#index.delete(filter, group);
      },
    });
  }

  /** To be called right before `change` becomes the head of its log: marks whom it concerns. */
  mark(change: Change): void {
    let before: readonly Position[] | undefined;
    for (const group of this.#index.find(change)) {
      if (group.waiting.waits.size === 0 || toWatchEvent(group.filter, change) === undefined) continue;
      before ??= this.#options.heads();
      this.#markGroup(group, before);
    }
    this.#markAny();
  }

  /** To be called right before a head is replaced: all watches go on from where they are then, and find out what became of it. */
  markAll(): void {
    const before = this.#options.heads();
    for (const group of this.#groups.values()) this.#markGroup(group, before);
    this.#markAny();
  }

  /** To be called after that: wakes what is marked. */
  notify(): void {
    if (this.#marked.length === 0 || this.#timer !== undefined) return;
    const waitMs = this.#lastWakeAt + this.#options.spacingMs - performance.now();
    if (waitMs <= 0) this.#wakeMarked();
    else this.#timer = setTimeout(() => this.#wakeMarked(), waitMs);
  }

  #markGroup(group: Group, before: readonly Position[]): void {
    if (group.waiting.waits.size === 0) return;
    group.waiting.positions = before;
    this.#marked.push(group.waiting);
    group.waiting = new WaitSet(true);
  }

  #markAny(): void {
    if (this.#any.waits.size === 0) return;
    this.#marked.push(this.#any);
    this.#any = new WaitSet(false);
  }

  #wakeMarked(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#lastWakeAt = performance.now();
    let watches = 0;
    for (const { waits, positions } of this.#marked.splice(0)) {
      watches += waits.size;
      for (const wait of waits) wait.wake(positions);
    }
    this.#options.onWake?.(watches);
  }
}
