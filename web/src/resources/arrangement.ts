import { ROW_STATES, type Row, type RowState } from "./row.js";

/** What can be sorted by. */
export type SortColumn = "name" | "kind" | "namespace" | "shard" | "state" | "generation" | "created" | "updated";

/** Which rows are shown, and in which order. */
export interface Arrangement {
  readonly sortBy: SortColumn;
  readonly isDescending: boolean;
  /** Rows that contain it in a name or in their message, in any case; empty for all. */
  readonly text: string;
  /** Rows in this state; undefined for all. */
  readonly state: RowState | undefined;
}

/** Whether the row is shown. */
export function matcher({ text, state }: Arrangement): (row: Row) => boolean {
  const wanted = text.toLowerCase();
  const contains = (value: string) => value.toLowerCase().includes(wanted);
  return (row) => {
    if (state !== undefined && row.state !== state) return false;
    if (wanted === "") return true;
    return contains(row.name) || contains(row.namespace) || contains(row.kind) || contains(row.message);
  };
}

/** The order of two rows. Total, so that a row can be found by it: the uid decides between equals. */
export function comparator({ sortBy, isDescending }: Arrangement): (a: Row, b: Row) => number {
  const value = VALUES[sortBy];
  const sign = isDescending ? -1 : 1;
  return (a, b) =>
    sign * compare(value(a), value(b)) || compare(a.name, b.name) || compare(a.kind, b.kind) || compare(a.uid, b.uid);
}

const STATE_RANKS = new Map(Object.keys(ROW_STATES).map((state, rank) => [state, rank]));

const VALUES: Readonly<Record<SortColumn, (row: Row) => string | number>> = {
  name: (row) => row.name,
  kind: (row) => row.kind,
  namespace: (row) => row.namespace,
  shard: (row) => row.shardId,
  state: (row) => STATE_RANKS.get(row.state) ?? 0,
  generation: (row) => row.generation,
  created: (row) => row.createdAt,
  updated: (row) => row.updatedAt,
};

/** By code units, as the server orders names too. */
function compare<T extends string | number>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
