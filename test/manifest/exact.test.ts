import { expect, it } from "vitest";
import { parseExact, stringifyExact } from "../../src/manifest/exact.js";

it.each([
  ['{"a":1,"a":2}', '{"a":2}'],
  ['{"a":{"x":1},"b":[],"\\u0061":{"y":2}}', '{"a":{"y":2},"b":[]}'],
  ['{"__proto__":1,"__proto__":{"a":2}}', '{"__proto__":{"a":2}}'],
])("shows of %s, which an older server took, the last of equal keys", (stored, shown) => {
  expect(stringifyExact(parseExact(stored))).toBe(shown);
});

it("keeps every digit", () => {
  const text = '{"a":12345678901234567890,"b":[1.10,1e-400]}';
  expect(stringifyExact(parseExact(text))).toBe(text);
});
