import { expect, it } from "vitest";
import { readAllowedScripts } from "../../../examples/process/allowed-scripts.js";

it("reads what EXAMPLES_PROCESS_ALLOW lists", () => {
  for (const nothing of [undefined, "", " , "])
    expect(readAllowedScripts(nothing)).toEqual({ scripts: [], problems: [] });
  expect(readAllowedScripts(" /srv/a.mjs , /srv/b.js").scripts).toEqual(["/srv/a.mjs", "/srv/b.js"]);
});

it.each(["a.js", "--eval=1", "-e", "/bin/sh", "../x.js"])("refuses to allow %s", (path) => {
  expect(readAllowedScripts(`/srv/a.mjs,${path}`).problems).toEqual([
    "EXAMPLES_PROCESS_ALLOW must list absolute paths of .js, .mjs or .cjs files separated by commas " +
      `(got ${JSON.stringify(path)})`,
  ]);
});
