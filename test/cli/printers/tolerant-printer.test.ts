import { expect, it } from "vitest";
import { tolerantPrinter } from "../../../src/cli/printers/tolerant-printer.js";
import type { Cli, Output } from "../../../src/cli/terminal.js";
import type { ClientResource } from "../../../src/client/index.js";

const row = (name: string) => ({
  resource: { key: { resourceGroup: "g", kind: "box", namespace: "shop", name } } as ClientResource, // its key is enough
});

it("prints the others when one of a list cannot be shown, names it, and fails at the end", async () => {
  let [said, printed] = ["", ""];
  const write = async (text: string) => {
    said += text;
  };
  const err: Output = { write, style: (_, text) => text, isTerminal: false };
  const inner = {
    async print(rows: readonly { readonly resource: ClientResource }[]) {
      const names = rows.map(({ resource: { key } }) => key.name);
      if (names.includes("bad")) throw new Error("no JSON\u001b");
      printed += names.join("");
    },
    async end() {
      printed += "]";
    },
  };
  const printer = tolerantPrinter({ err } as Cli, inner); // writes nowhere else
  await printer.print([row("a"), row("bad"), row("c")]);
  await printer.print([row("d")]);
  await expect(printer.end()).rejects.toThrow("1 could not be shown");
  expect(printed).toBe("acd]");
  expect(said).toBe("warning: box/bad in namespace shop cannot be shown: no JSON\\u001b\n");
});
