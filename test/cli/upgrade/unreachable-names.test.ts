import { expect, it } from "vitest";
import { UNREACHABLE_NAMES } from "../../../src/cli/upgrade/unreachable-names.js";
import type { ClientResource } from "../../../src/client/index.js";

const find = (part: object) => {
  const key = { resourceGroup: "g", kind: "k", namespace: "n", name: "a", ...part };
  return UNREACHABLE_NAMES.find({ key } as ClientResource); // nothing else is looked at
};

it("finds . and .. in every part of a key, and nothing in names that only hold dots", () => {
  expect(find({ resourceGroup: "." })).toBe('its group is "."');
  expect(find({ kind: ".." })).toBe('its kind is ".."');
  expect(find({ namespace: "." })).toBe('its namespace is "."');
  expect(find({ name: ".." })).toBe('its name is ".."');
  expect(["...", ".a", "%2e", "a.b"].map((name) => find({ name }))).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
