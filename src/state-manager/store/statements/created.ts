import type { WorkItem } from "../../../resource/work.js";
import { type Column, columnArrays, columnNames, unnestColumns } from "../columns.js";
import type { Statement } from "../database.js";
import type { PlacedResource } from "../resource-row.js";
import { NEW_ITEM_COLUMNS, ON_ITEM_CONFLICT } from "./commit-work-items.js";
import { BATCH_FINGERPRINT, EVENT_COLUMNS, HOLDS, type StampedChange } from "./events.js";
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

const COLUMNS: readonly Column<CreatedRow>[] = [
  ...onlyHere(INSERTED_COLUMNS, ({ placed }) => placed, []),
  ...onlyHere(EVENT_COLUMNS, ({ event }) => event, [...INSERTED_COLUMNS, { name: "fingerprint" }]),
  ...onlyHere(NEW_ITEM_COLUMNS, ({ item }) => item, [...INSERTED_COLUMNS, { name: "resource_id" }]),
];

/** Columns that hold the same in all new resources of a batch. */
const SHARED = new Set(
  `created_at updated_at deletion_requested_at generation observed_generation write_count status is_unready
   bucket committed_at type
   wanted due_at pending_since is_pending reason message failures last_error`.split(/\s+/),
);
const SHARED_COLUMNS = COLUMNS.filter(({ name }) => SHARED.has(name));
const OWN_COLUMNS = COLUMNS.filter(({ name }) => !SHARED.has(name));

/** Whether `INSERT_CREATED` can write the rows. */
export function areAlike(rows: readonly CreatedRow[]): boolean {
  const [first] = rows;
  if (first === undefined) return false;
  return SHARED_COLUMNS.every(({ read }) => {
    const shared = read(first);
    return rows.every((row) => read(row) === shared);
  });
}

/** The parameters of `INSERT_CREATED`: one array per column of its own, one value per shared one. */
export function createdValues(rows: readonly CreatedRow[]): unknown[] {
  const [first] = rows;
  if (first === undefined) throw new Error("a batch that creates nothing");
  return [...columnArrays(OWN_COLUMNS, rows), ...SHARED_COLUMNS.map(({ read }) => read(first))];
}

const SHARED_VALUES = new Map([
  ...SHARED_COLUMNS.map(({ name, type }, i) => [name, `$${OWN_COLUMNS.length + i + 1}::${type}`] as const),
  ["fingerprint", BATCH_FINGERPRINT],
  ["resource_id", "id"],
]);

/** An INSERT's columns, and the source of their values. */
function insert(table: string, columns: readonly { readonly name: string }[]): string {
  const values = columns.map(({ name }) => SHARED_VALUES.get(name) ?? name);
  return `INSERT INTO ${table} (${columnNames(columns)}) SELECT ${values.join(", ")} FROM x`;
}

/**
 * What a batch of new resources writes, the hottest path of all: one statement, and what state, event and item have in common,
 * the spec above all, is sent and parsed once, as is what the resources have in common.
 *
 * The rows come sorted by key, and the resources are the main statement, because that runs before the parts nobody reads from:
 * resource keys, then work items, is the one lock order.
 */
export const INSERT_CREATED: Statement = {
  name: "insert-created",
  text: `
    WITH x AS MATERIALIZED (SELECT * FROM ${unnestColumns(OWN_COLUMNS)} WHERE ${HOLDS}),
    item AS (${insert("work_items", NEW_ITEM_COLUMNS)} ${ON_ITEM_CONFLICT}),
    event AS (${insert("events", EVENT_COLUMNS)})
    ${insert("resources", INSERTED_COLUMNS)}`,
};
