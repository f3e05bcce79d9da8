import type { ResourceKey } from "../../client/index.js";
import { printable } from "../printable.js";
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
export interface ResourceListOptions extends Omit<ResourceTableShape, "isWide" | "hasGroups"> {
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
      return tablePrinter(output, { ...options, isWide: format === "wide" });
    }
    case "name":
      return rowPrinter(output, ({ resource: { key } }) => `${referenceTo(key, options.hasNamespaces)}\n`);
    case "json":
    case "yaml": // a table starts sooner without the YAML package
      return (await import("./document-list.js")).documentPrinter(output, format, options);
  }
}

/** Shows groups from where kinds of one name turn out to be of several: then the titles come once more. */
function tablePrinter(output: Output, shape: Omit<ResourceTableShape, "hasGroups">): ResourcePrinter {
  const groups = new Map<string, string>();
  let hasGroups = shape.isWide;
  let table = new Table(output, resourceColumns({ ...shape, hasGroups }));
  return {
    async print(rows) {
      const isMixed = rows.some(({ resource: { key } }) => {
        const first = groups.get(key.kind) ?? key.resourceGroup;
        groups.set(key.kind, first);
        return first !== key.resourceGroup;
      });
      if (isMixed && !hasGroups) {
        hasGroups = true;
        table = new Table(output, resourceColumns({ ...shape, hasGroups }));
      }
      await table.print(rows);
    },
    end: async () => {},
  };
}

/** What every command takes for a resource, whatever other kinds and namespaces there are: `website.examples/blog`. */
function referenceTo({ resourceGroup, kind, namespace, name }: ResourceKey, hasNamespaces: boolean): string {
  return printable(`${hasNamespaces ? `${namespace}/` : ""}${kind}.${resourceGroup}/${name}`);
}

/** Prints each row on its own. */
export function rowPrinter(output: Output, text: (row: ResourceRow) => string): ResourcePrinter {
  return { print: (rows) => output.write(rows.map(text).join("")), end: async () => {} };
}
