import { expect, it } from "vitest";
import { DUPLICATE_KEYS } from "../../../src/cli/upgrade/duplicate-keys.js";
import type { ClientResource } from "../../../src/client/index.js";

const find = (specJson: string, statusJson = "null") => DUPLICATE_KEYS.find({ specJson, statusJson } as ClientResource); // nothing else is looked at

it("names the key that a stored spec or status has twice", () => {
  expect(find('{"a":[{"b":1,"b":2}]}')).toBe("spec.a[0].b is there twice");
  expect(find("{}", '{"a":1,"\\u0061":2}')).toBe("status.a is there twice");
  expect(find('{"a":1,"b":{"a":2}}', '{"a":1}')).toBeUndefined();
});
