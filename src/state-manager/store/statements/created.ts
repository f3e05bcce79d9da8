import type { WorkItem } from "../../../resource/work.js";
import { type Column, columnNames, unnestColumns } from "../columns.js";
import type { Statement } from "../database.js";
import type { PlacedResource } from "../resource-row.js";
import { NEW_ITEM_COLUMNS, ON_ITEM_CONFLICT } from "./commit-work-items.js";
import { EVENT_COLUMNS, type StampedChange } from "./events.js";
import { INSERTED_COLUMNS } from "./resources.js";

/** A new resource, its one event and its work item. */
export interface CreatedRow {
  readonly placed: PlacedResource;
  readonly event: StampedChange;
  readonly item: WorkItem;
}

/** `columns` read from a part of a row, without those that `others` have: in a new resource they hold the same. */
function onlyHere<Row>(
  columns: readonly Column<Row>[],
  part: (row: CreatedRow) => Row,
  others: readonly { readonly name: string }[],
): Column<CreatedRow>[] {
  const known = new Set(others.map(({ name }) => name));
  return columns
    .filter(({ name }) => !known.has(name))
    .map(({ name, type, read }) => ({ name, type, read: (row) => read(part(row)) }));
}

/** Columns of `INSERT_CREATED`. */
export const CREATED_COLUMNS: readonly Column<CreatedRow>[] = [
  ...onlyHere(INSERTED_COLUMNS, ({ placed }) => placed, []),
  ...onlyHere(EVENT_COLUMNS, ({ event }) => event, INSERTED_COLUMNS),
  ...onlyHere(NEW_ITEM_COLUMNS, ({ item }) => item, [...INSERTED_COLUMNS, { name: "resource_id" }]),
];

/**
 * What a batch of new resources writes, the hottest path of all: one statement, and what state, event and item have in common,
 * the spec above all, is sent and parsed once.
 *
 * The rows come sorted by key, and the resources are the main statement, because that runs before the parts nobody reads from:
 * resource keys, then work items, is the one lock order.
 */
export const INSERT_CREATED: Statement = {
  name: "insert-created",
  text: `
    WITH x AS MATERIALIZED (SELECT * FROM ${unnestColumns(CREATED_COLUMNS)}),
    item AS (
      INSERT INTO work_items (${columnNames(NEW_ITEM_COLUMNS)})
      SELECT ${columnNames(NEW_ITEM_COLUMNS).replace("resource_id", "id")} FROM x
      ${ON_ITEM_CONFLICT}),
    event AS (
      INSERT INTO events (${columnNames(EVENT_COLUMNS)}) SELECT ${columnNames(EVENT_COLUMNS)} FROM x)
    INSERT INTO resources (${columnNames(INSERTED_COLUMNS)}) SELECT ${columnNames(INSERTED_COLUMNS)} FROM x`,
};
