/** When each change can have been committed, by what clients were told, and whether that is possible at all. */
import { describeCall, type Operation } from "./operation.js";
import type { Version, Versions } from "./versions.js";

interface Bound {
  readonly at: number;
  readonly by: Operation | undefined;
}

const NEVER: Bound = { at: Number.POSITIVE_INFINITY, by: undefined };
const ALWAYS: Bound = { at: Number.NEGATIVE_INFINITY, by: undefined };

/**
 * Every call that saw or made a certain version bounds when that and the one behind it were committed. The log is the order of commits, so a
 * bound holds for everything behind it (earliest) or before it (latest). Clients were told the truth, in real time, exactly when no
 * change has its earliest moment behind its latest: then committing each at its earliest moment fits all of them (linearizability of
 * each key, and of the log as a whole). No order has to be searched, so this takes linear time.
 */
export class Windows {
  readonly #versions: Versions;
  readonly #earliest = new Map<number, Bound>();
  readonly #latest = new Map<number, Bound>();

  constructor(versions: Versions) {
    this.#versions = versions;
  }

  /** `by` made this version: it cannot have been there before the call. */
  notBefore(version: Version, at: number, by: Operation): void {
    if (at > this.#earliestAt(version).at) this.#earliest.set(version.revision, { at, by });
  }

  /** `by` was shown this version: it was there before the answer. */
  notAfter(version: Version, at: number, by: Operation): void {
    if (at < this.#latestAt(version).at) this.#latest.set(version.revision, { at, by });
  }

  /** `by` saw this version, at some moment between call and answer. */
  sawBetween(version: Version, from: number, to: number, by: Operation): void {
    this.notAfter(version, to, by);
    const next = this.#versions.after(version);
    if (next !== undefined) this.notBefore(next, from, by);
  }

  /** Spreads the bounds along the log; call once, when all of them are known. Returns what cannot be. */
  close(): readonly string[] {
    const { inOrder } = this.#versions;
    let earliest = ALWAYS;
    for (const version of inOrder) {
      const own = this.#earliestAt(version);
      if (own.at > earliest.at) earliest = own;
      this.#earliest.set(version.revision, earliest);
    }
    let latest = NEVER;
    for (const version of inOrder.toReversed()) {
      const own = this.#latestAt(version);
      if (own.at < latest.at) latest = own;
      this.#latest.set(version.revision, latest);
    }
    return inOrder.flatMap((version) => {
      const [from, to] = [this.#earliestAt(version), this.#latestAt(version)];
      if (from.at <= to.at || from.by === undefined || to.by === undefined) return [];
      const what = `revision ${version.revision} of ${version.key} cannot be in order`;
      return [`${what}: not before ${describeCall(from.by)}, not after ${describeCall(to.by)}`];
    });
  }

  earliest(version: Version): number {
    return this.#earliestAt(version).at;
  }

  latest(version: Version | undefined): number {
    return version === undefined ? Number.POSITIVE_INFINITY : this.#latestAt(version).at;
  }

  /** The versions of a key that can have been the newest at some moment between `from` and `to`. */
  possible(key: string, from: number, to: number): readonly Version[] {
    const versions = this.#versions.of(key);
    // The latest moments never decrease along the versions: the first whose successor may still be to come.
    let [low, high] = [0, versions.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.latest(versions[middle + 1]) >= from) high = middle;
      else low = middle + 1;
    }
    const found: Version[] = [];
    for (const version of versions.slice(low)) {
      if (version.index > 0 && this.earliest(version) > to) break;
      found.push(version);
    }
    return found;
  }

  #earliestAt({ revision }: Version): Bound {
    return this.#earliest.get(revision) ?? ALWAYS;
  }

  #latestAt({ revision }: Version): Bound {
    return this.#latest.get(revision) ?? NEVER;
  }
}
