import { arrayParameter, type Scalar } from "./array-parameter.js";
import type { Statement } from "./database.js";

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

/** Statements that do not depend on each other, as one: one round trip. Its parameters are theirs, one after the other. */
export function joinStatements(
  name: string,
  parts: readonly { readonly text: string; readonly parameters: number }[],
): Statement {
  let offset = 0;
  const texts = parts.map(({ text, parameters }) => {
    const shifted = text.replace(/\$(\d+)/g, (_, n: string) => `$${Number(n) + offset}`);
    offset += parameters;
    return shifted;
  });
  const last = texts.pop() ?? "";
  return { name, text: `WITH ${texts.map((text, i) => `part${i} AS (${text})`).join(", ")} ${last}` };
}

/** The columns' names, for a column list. */
export function columnNames<Row>(columns: readonly Column<Row>[]): string {
  return columns.map(({ name }) => name).join(", ");
}

/** The parameters of a statement over `unnestColumns(columns)`. */
export function columnArrays<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): unknown[] {
  return columns.map(({ type, read }) => arrayParameter(type, rows.map(read)));
}
