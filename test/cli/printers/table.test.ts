import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { Table } from "../../../src/cli/printers/table.js";
import { outputTo } from "../../../src/cli/terminal.js";

async function printed(...batches: readonly (readonly string[])[]): Promise<string> {
  const stream = new PassThrough();
  const table = new Table<string>(outputTo(stream), [
    { title: "NAME", text: (name) => name },
    { title: "SIZE", text: (name) => String(name.length) },
  ]);
  for (const batch of batches) await table.print(batch);
  stream.end();
  return await text(stream);
}

it("is as wide as its first rows need, and widens for later ones", async () => {
  expect(await printed(["a", "abcdef"], ["abcdefgh", "b"])).toBe(
    ["NAME     SIZE", "a        1", "abcdef   6", "abcdefgh   8", "b          1", ""].join("\n"),
  );
});

it("prints its titles even when there are no rows, once", async () => {
  expect(await printed([], ["a"])).toBe("NAME   SIZE\na      1\n");
});

it("stands straight under wide characters", async () => {
  expect(await printed(["東京", "ab"])).toBe("NAME   SIZE\n東京   2\nab     2\n");
});

it("shows control characters instead of obeying them, and an empty cell as a dash", async () => {
  expect(await printed(["\x1b[2J\x9b1m\n", ""])).toBe(
    "NAME                      SIZE\n\\u001b[2J\\u009b1m\\u000a   8\n-                         0\n",
  );
});
