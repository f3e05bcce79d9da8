import type { ClientResource } from "../../../src/client/client-resource.js";
import { type Arrangement, comparator, matcher } from "./arrangement.js";
import { mendSorted } from "./mend-sorted.js";
import { type Row, toRow } from "./row.js";

/** More rows than this are not held: a tab has its limits (docs/dashboard.md). */
export const ROWS_MAX = 200_000;

/** What the table draws. A new object after every change. */
export interface RowView {
  /** The rows to show, in their order. */
  readonly rows: readonly Row[];
  /** How many are held, shown or not. */
  readonly held: number;
  /** Whether there are more than are held. */
  readonly isOverfull: boolean;
  /** Whether everything has been read once. */
  readonly isComplete: boolean;
}

/**
 * The rows of the table, outside React: changes go into a map as they arrive, and once per animation frame the view is made
 * of them and the table told. A view is an array in order; a frame's changes are merged into it, which compares
 * little: sorting 100,000 rows anew takes longer than a frame may.
 */
export class RowStore {
  readonly #rows = new Map<string, Row>();
  #arrangement: Arrangement;
  #view: RowView = { rows: [], held: 0, isOverfull: false, isComplete: false };
  /** Rows of the view that are not held any more, as they were. */
  readonly #stale = new Set<Row>();
  /** Held rows that the view does not have yet. */
  readonly #fresh = new Set<Row>();
  #isOverfull = false;
  #isComplete = false;
  #isDrawing = false;
  readonly #listeners = new Set<() => void>();
  readonly #atNextFrame: (draw: () => void) => void;

  /** `atNextFrame` is requestAnimationFrame, but for tests. */
  constructor(arrangement: Arrangement, atNextFrame: (draw: () => void) => void) {
    this.#arrangement = arrangement;
    this.#atNextFrame = atNextFrame;
  }

  /** Takes a resource as it is now, unless a newer state of it is held. `isNews`: it changed while the table was looking. */
  put(resource: ClientResource, isNews: boolean): void {
    const held = this.#rows.get(resource.uid);
    if (held !== undefined && held.writeCount >= resource.writeCount) return;
    if (held === undefined && this.#rows.size >= ROWS_MAX) {
      this.#isOverfull = true;
    } else {
      const row = toRow(resource, isNews ? performance.now() : 0);
      if (held !== undefined) this.#leaveView(held);
      this.#rows.set(row.uid, row);
      this.#fresh.add(row);
    }
    this.#drawSoon();
  }

  /** Takes a resource that is gone, given its last state. */
  remove(last: ClientResource): void {
    const held = this.#rows.get(last.uid);
    if (held === undefined || held.writeCount > last.writeCount) return;
    this.#rows.delete(held.uid);
    this.#leaveView(held);
    this.#drawSoon();
  }

  /** Everything was read once: what is held and not among `uids` went unseen. */
  complete(uids: ReadonlySet<string>): void {
    for (const row of this.#rows.values()) {
      if (uids.has(row.uid)) continue;
      this.#rows.delete(row.uid);
      this.#leaveView(row);
    }
    this.#isComplete = true;
    this.#drawSoon();
  }

  /** Shows other rows, or in another order; the view is new when it returns. */
  arrange(arrangement: Arrangement): void {
    this.#arrangement = arrangement;
    this.#stale.clear();
    this.#fresh.clear();
    this.#show([...this.#rows.values()].filter(matcher(arrangement)).sort(comparator(arrangement)));
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getView = (): RowView => this.#view;

  /** A row that the view has not seen yet just never gets there. */
  #leaveView(row: Row): void {
    if (!this.#fresh.delete(row)) this.#stale.add(row);
  }

  /** Frames stop while nobody sees the tab, and both sets stay as small as what is held. */
  #drawSoon(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    this.#atNextFrame(() => {
      this.#isDrawing = false;
      const added = [...this.#fresh].filter(matcher(this.#arrangement));
      const rows = mendSorted(this.#view.rows, this.#stale, added, comparator(this.#arrangement));
      this.#stale.clear();
      this.#fresh.clear();
      this.#show(rows);
    });
  }

  #show(rows: readonly Row[]): void {
    this.#view = { rows, held: this.#rows.size, isOverfull: this.#isOverfull, isComplete: this.#isComplete };
    for (const listener of this.#listeners) listener();
  }
}
