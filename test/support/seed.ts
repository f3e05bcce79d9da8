/** Chance that can be repeated: a run prints its seed, and `RECONCILE_SEED` makes the same choices again. */
import { randomInt } from "node:crypto";

/** The seed of this run: `RECONCILE_SEED` when it is set, else another one each time. */
export function chooseSeed(): number {
  const given = process.env.RECONCILE_SEED;
  if (given === undefined || given === "") return randomInt(2 ** 31);
  const seed = Number(given);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`RECONCILE_SEED must be a whole number (got ${given})`);
  return seed;
}

/** Numbers that follow from a seed (mulberry32). */
export class Random {
  #state: number;

  /** `stream` sets apart those who choose at the same time: what one takes does not change what another gets. */
  constructor(seed: number, stream = 0) {
    this.#state = (seed ^ Math.imul(stream + 1, 0x9e3779b9)) >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** From 0 to `below`, exclusive. */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)] as T; // of a list that is not empty
  }

  /** `count` times any of `of`, with repetition. */
  picks<T>(of: readonly T[], count: number): T[] {
    return Array.from({ length: count }, () => this.pick(of));
  }

  /** A name, as often as its weight among all weights says. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const entries = Object.entries(weights) as [Name, number][];
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      left -= weight;
      if (left < 0) return name;
    }
    return entries[entries.length - 1]?.[0] as Name; // rounding, of a record that is not empty
  }

  shuffled<T>(of: readonly T[]): T[] {
    const list = [...of];
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [list[i], list[j]] = [list[j] as T, list[i] as T]; // both are in the list
    }
    return list;
  }
}
