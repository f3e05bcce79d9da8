import { documentOf } from "../../manifest/resource-document.js";
import type { Output } from "../terminal.js";
import { type ResourceListOptions, type ResourcePrinter, rowPrinter } from "./resource-list.js";
import type { ResourceRow } from "./resource-table.js";
import { shownJson, shownYaml } from "./shown-text.js";

/** Prints resources whole, for programs and for `apply`. */
export function documentPrinter(
  output: Output,
  format: "json" | "yaml",
  { hasEvents, isSingle }: ResourceListOptions,
): ResourcePrinter {
  if (format === "yaml") return rowPrinter(output, (row) => `---\n${shownYaml(document(row))}`);
  if (hasEvents) return rowPrinter(output, (row) => `${shownJson(document(row))}\n`);
  if (isSingle) return rowPrinter(output, (row) => `${shownJson(document(row), 2)}\n`);
  return jsonArray(output);
}

/** In a watch, a document also says what happened. */
function document({ event, resource }: ResourceRow): Record<string, unknown> {
  return event === undefined ? documentOf(resource) : { event: event || "INITIAL", resource: documentOf(resource) };
}

/** One array, printed piece by piece. */
function jsonArray(output: Output): ResourcePrinter {
  let separator = "[\n";
  const element = (row: ResourceRow) => `  ${shownJson(document(row), 2).replaceAll("\n", "\n  ")}`;
  return {
    async print(rows) {
      if (rows.length === 0) return;
      await output.write(separator + rows.map(element).join(",\n"));
      separator = ",\n";
    },
    end: () => output.write(separator === "[\n" ? "[]\n" : "\n]\n"),
  };
}
