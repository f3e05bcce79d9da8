import { expect, it } from "vitest";
import { predictRefusals, type UpgradeCheck } from "../../../src/cli/upgrade/predict-refusals.js";
import type { ClientResource } from "../../../src/client/index.js";

const DOTS: UpgradeCheck = {
  what: "names of dots",
  remedy: "create each under another name",
  find: ({ key }) => (/^\.+$/.test(key.name) ? "its name is only dots" : undefined),
};

async function* stored(...names: readonly string[]): AsyncGenerator<ClientResource> {
  for (const name of names) {
    const key = { resourceGroup: "demo", kind: "box", namespace: "shop", name };
    yield { key } as ClientResource; // nothing else is looked at
  }
}

it("says that nothing would be refused where nothing would", async () => {
  expect(await predictRefusals(stored("a", "b"), [DOTS])).toEqual([
    { level: "ok", text: "an upgrade would refuse none of the 2 resources" },
  ]);
});

it("names what would be refused, and counts what it does not name", async () => {
  const [finding] = await predictRefusals(stored("a", ...Array(6).fill(".")), [DOTS]);
  const example = "box/. in shop: its name is only dots";
  expect(finding).toEqual({
    level: "note",
    text: `an upgrade would refuse 6 of the 7 resources when they are written again, for names of dots: create each under another name (${Array(5).fill(example).join("; ")}; and 1 more)`,
  });
});
