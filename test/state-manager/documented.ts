import { readFileSync } from "node:fs";
import { expect } from "vitest";

const document = new URL("../../docs/operations.md", import.meta.url).pathname;

/**
 * Expects a table of docs/operations.md, between `<!-- section: … -->` and `<!-- end of section -->`, to be the one the
 * program's declarations make. With `vitest -u` the document is rewritten instead.
 */
export async function expectDocumented(
  section: string,
  header: readonly string[],
  rows: readonly string[][],
): Promise<void> {
  const lines = [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  const text = readFileSync(document, "utf8");
  const place = new RegExp(`(<!-- ${section}: .*? -->\n).*?(<!-- end of ${section} -->)`, "s");
  expect(text).toMatch(place);
  const current = text.replace(place, (_, start, end) => `${start}\n${lines.join("\n")}\n\n${end}`);
  await expect(current).toMatchFileSnapshot(document);
}
