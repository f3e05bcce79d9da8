import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const CLIENT = new URL("../../src/client/", import.meta.url);

/** What `file`, and all it imports from here, imports from packages. Types are no imports once they are compiled. */
function packagesOf(file: URL, seen = new Set<string>()): Set<string> {
  const packages = new Set<string>();
  if (seen.has(file.href)) return packages;
  seen.add(file.href);
  const imports = readFileSync(file, "utf8").matchAll(/^(?:import|export) (?!type\b)[^;"]*from "([^"]+)";$/gm);
  for (const [, name = ""] of imports) {
    if (!name.startsWith(".")) packages.add(name);
    else for (const more of packagesOf(new URL(name.replace(/\.js$/, ".ts"), file), seen)) packages.add(more);
  }
  return packages;
}

test("a browser can load the client: only connect.ts needs Node", () => {
  const everywhere = [
    "@bufbuild/protobuf",
    "@bufbuild/protobuf/codegenv2",
    "@bufbuild/protobuf/wkt",
    "@connectrpc/connect",
  ];
  for (const file of ["resource-client.ts", "connection.ts", "api-error.ts"]) {
    expect(everywhere).toEqual(expect.arrayContaining([...packagesOf(new URL(file, CLIENT))]));
  }
  expect(packagesOf(new URL("connect.ts", CLIENT))).toContain("@connectrpc/connect-node");
});
