import { nameOf } from "../name-of.js";
import type { Output } from "../terminal.js";
import { type ResourceRow, type ResourceTableShape, resourceColumns } from "./resource-table.js";
import { Table } from "./table.js";

/** The forms in which resources are printed. */
export const RESOURCE_FORMATS = ["table", "wide", "json", "yaml", "name"] as const;
export type ResourceFormat = (typeof RESOURCE_FORMATS)[number];

/** Prints resources as they come. */
export interface ResourcePrinter {
  print(rows: readonly ResourceRow[]): Promise<void>;
  /** After the last row. */
  end(): Promise<void>;
}

/** What is printed, and how. */
export interface ResourceListOptions extends Omit<ResourceTableShape, "isWide"> {
  readonly format: ResourceFormat;
  /** One resource was named: JSON is that object and no list of one. */
  readonly isSingle: boolean;
}

/** A printer for one listing or one watch. */
export async function resourcePrinter(output: Output, options: ResourceListOptions): Promise<ResourcePrinter> {
  const { format } = options;
  switch (format) {
    case "table":
    case "wide": {
      const table = new Table(output, resourceColumns({ ...options, isWide: format === "wide" }));
      return { print: (rows) => table.print(rows), end: async () => {} };
    }
    case "name":
      return rowPrinter(output, ({ resource: { key } }) => `${nameOf(key)}\n`);
    case "json":
    case "yaml": // a table starts sooner without the YAML package
      return (await import("./document-list.js")).documentPrinter(output, format, options);
  }
}

/** Prints each row on its own. */
export function rowPrinter(output: Output, text: (row: ResourceRow) => string): ResourcePrinter {
  return { print: (rows) => output.write(rows.map(text).join("")), end: async () => {} };
}
