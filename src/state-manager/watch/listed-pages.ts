import type { Change, Position } from "../../resource/change.js";
import { DomainError } from "../../resource/errors.js";

/** One page of the initial state, or several in a row that saw the same heads. */
interface Page {
  /** The page covers ids up to this one; undefined: all the rest. */
  readonly lastId: bigint | undefined;
  readonly heads: readonly Position[];
}

/**
 * What the pages of an initial state covered and when: enough to decide, change by change, whether the client was sent the
 * state before it (SPEC.md, "Initial state"). Holds no resource and no id but one per page.
 */
export class ListedPages {
  readonly #start: readonly Position[];
  readonly #pages: Page[] = [];

  /** `start`: the heads noted before the first page was read. */
  constructor(start: readonly Position[]) {
    this.#start = start;
  }

  /**
   * Records a page that covers the ids above those of the page before, up to `lastId`; undefined for the last page. Throws
   * LINEAGE_LOST when its heads do not follow those of the page before.
   */
  add(lastId: bigint | undefined, heads: readonly Position[]): void {
    const before = this.end;
    const isReplaced = heads.some(({ revision, fingerprint }, log) => {
      const earlier = before[log];
      return (
        earlier === undefined ||
        revision < earlier.revision ||
        (revision === earlier.revision && fingerprint !== earlier.fingerprint)
      );
    });
    if (isReplaced) throw historyReplaced();
    // Nothing was written between the two: one entry speaks for both.
    if (this.#pages.length > 0 && heads.every(({ revision }, log) => revision === before[log]?.revision))
      this.#pages.pop();
    this.#pages.push({ lastId, heads });
  }

  /** The heads of the last page: the replay goes at least that far. */
  get end(): readonly Position[] {
    return this.#pages.at(-1)?.heads ?? this.#start;
  }

  /** Whether the client has the state before `change`, provided that state matched its filter. */
  hasBefore(change: Change): boolean {
    if (change.previousRevision > revisionOf(this.#start, change.log)) return true;
    const page = this.#pageOf(change.resource.id);
    return page !== undefined && change.revision > revisionOf(page.heads, change.log);
  }

  /** Throws LINEAGE_LOST when `change` stands where a page saw another history: a restore happened while listing. */
  assertSameHistory(change: Change): void {
    // The pages' heads ascend: only the first one that reaches the change can be at it.
    const page = this.#pages[lowerBound(this.#pages, (each) => revisionOf(each.heads, change.log) >= change.revision)];
    const head = page?.heads[change.log];
    if (head !== undefined && head.revision === change.revision && head.fingerprint !== change.fingerprint) {
      throw historyReplaced();
    }
  }

  #pageOf(id: bigint): Page | undefined {
    return this.#pages[lowerBound(this.#pages, ({ lastId }) => lastId === undefined || lastId >= id)];
  }
}

/** The store was restored during a watch: what was sent is of a history that is no more. Its code says "list again". */
export function historyReplaced(cause?: unknown): DomainError {
  const message =
    "the store's history was replaced (PostgreSQL was restored or failed over); list again, then watch from there";
  return new DomainError("OUT_OF_RANGE", "LINEAGE_LOST", message, { cause });
}

function revisionOf(positions: readonly Position[], log: number): bigint {
  const position = positions[log];
  if (position === undefined) throw new Error(`log ${log} is not one of ${positions.length}`);
  return position.revision;
}

/** Index of the first item for which `holds` is true; it must stay true from there on. */
function lowerBound<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    if (item !== undefined && holds(item)) high = middle;
    else low = middle + 1;
  }
  return low;
}
