import { Option } from "@commander-js/extra-typings";
import type { Output } from "../terminal.js";
import { shownJson, shownYaml } from "./shown-text.js";
import { snakeCase } from "./snake-case.js";
import { type Column, Table } from "./table.js";

const FORMATS = ["table", "json", "yaml"] as const;

/** How records are printed. */
export function formatOption() {
  return new Option("-o, --output <format>", "how to print it").choices(FORMATS).default("table" as const);
}

/** Prints what is no resource: as a table for people, or with every field for programs. */
export async function printRecords<Row>(
  output: Output,
  format: (typeof FORMATS)[number],
  rows: readonly Row[],
  columns: readonly Column<Row>[],
): Promise<void> {
  switch (format) {
    case "table":
      return await new Table(output, columns).print(rows);
    case "json":
      return await output.write(`${shownJson(snakeCase(rows), 2)}\n`);
    case "yaml":
      return await output.write(shownYaml(snakeCase(rows)));
  }
}
