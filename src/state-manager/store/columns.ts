import { arrayParameter, type Scalar } from "./array-parameter.js";

/** A column of a set-based statement: its SQL type, and how a row gives its value. */
export interface Column<Row> {
  readonly name: string;
  readonly type: string;
  readonly read: (row: Row) => Scalar;
}

/**
 * The source of a set-based statement: `unnest($1::text[], …) AS x (name, …)`, one array per column.
 *
 * Arrays, not one JSON document: json_to_recordset parses every payload three times, a third of what PostgreSQL spends on a
 * write.
 */
export function unnestColumns<Row>(columns: readonly Column<Row>[]): string {
  const arrays = columns.map(({ type }, i) => `$${i + 1}::${type}[]`);
  return `unnest(${arrays.join(", ")}) AS x (${columnNames(columns)})`;
}

/** The columns' names, for a column list. */
export function columnNames(columns: readonly { readonly name: string }[]): string {
  return columns.map(({ name }) => name).join(", ");
}

/** The parameters of a statement over `unnestColumns(columns)`. */
export function columnArrays<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): unknown[] {
  return columns.map(({ type, read }) => arrayParameter(type, rows.map(read)));
}
