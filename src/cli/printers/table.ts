import stringWidth from "fast-string-width";
import { printable } from "../printable.js";
import type { Output, Style } from "../terminal.js";

/** A column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  readonly style?: (row: Row) => Style | undefined;
}

const GAP = "   ";

/**
 * Prints rows as they come. Columns are as wide as the first rows need; what comes later may widen them, never move a line that
 * is printed. (The packages for tables want all rows before they print one; 100,000 are too many to wait for.)
 */
export class Table<Row> {
  readonly #columns: readonly Column<Row>[];
  readonly #output: Output;
  readonly #widths: number[];
  #isBegun = false;

  constructor(output: Output, columns: readonly Column<Row>[]) {
    this.#output = output;
    this.#columns = columns;
    this.#widths = columns.map(({ title }) => title.length);
  }

  /** The first call prints the titles, even with no rows. */
  async print(rows: readonly Row[]): Promise<void> {
    const cells = rows.map((row) => this.#columns.map(({ text }) => printable(text(row)) || "-"));
    for (const row of cells) this.#widen(row);
    const titles = this.#isBegun
      ? ""
      : this.#line(
          this.#columns.map(({ title }) => title),
          () => "dim",
        );
    this.#isBegun = true;
    const lines = rows.map((row, i) => this.#line(cells[i] ?? [], (column) => column.style?.(row)));
    await this.#output.write(titles + lines.join(""));
  }

  #widen(cells: readonly string[]): void {
    for (const [i, cell] of cells.entries()) this.#widths[i] = Math.max(this.#widths[i] ?? 0, stringWidth(cell));
  }

  #line(cells: readonly string[], styleOf: (column: Column<Row>) => Style | undefined): string {
    const padded = this.#columns.map((column, i) => {
      const cell = cells[i] ?? "";
      const style = styleOf(column);
      const isLast = i === this.#columns.length - 1;
      const padding = isLast ? "" : " ".repeat((this.#widths[i] ?? 0) - stringWidth(cell));
      return (style === undefined ? cell : this.#output.style(style, cell)) + padding;
    });
    return `${padded.join(GAP)}\n`;
  }
}
