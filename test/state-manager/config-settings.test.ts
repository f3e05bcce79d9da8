import { expect, test } from "vitest";
import { SETTINGS } from "../../src/state-manager/config-settings.js";
import { expectDocumented } from "./documented.js";

test("docs/operations.md shows the settings as they are declared", async () => {
  const rows = Object.entries(SETTINGS).map(([name, { values, shownDefault, description, isSecret }]) => [
    `\`${name}\``,
    isSecret ? `${values}; secret` : values,
    shownDefault === "" ? "none" : `\`${shownDefault}\``,
    description,
  ]);
  await expectDocumented("settings", ["variable", "value", "default", "what it does"], rows);
});

test("every description is sentences that fit a table", () => {
  for (const [name, { description, values }] of Object.entries(SETTINGS)) {
    expect(description, name).toMatch(/^[A-Z].*\.$/);
    expect(description + values, name).not.toMatch(/[|\n]/);
  }
});
