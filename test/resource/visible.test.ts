import { expect, it } from "vitest";
import { visible, yamlEscape } from "../../src/resource/visible.js";

it.each([
  ["turned\u202e text", "turned\\u202e text"],
  ["isolated\u2066 text", "isolated\\u2066 text"],
  ["zero\u200bwidth", "zero\\u200bwidth"],
  ["\ufeffmark", "\\ufeffmark"],
  ["line\u2028separator", "line\\u2028separator"],
  ["half \ud800 of a pair", "half \\ud800 of a pair"],
  ["tag\u{e0041}", "tag\\udb40\\udc41"],
  ["esc\u001b[2J", "esc\\u001b[2J"],
  ["👨‍👩‍👧 می‌خواهم é", "👨‍👩‍👧 می‌خواهم é"],
])("shows %j", (text, shown) => {
  expect(visible(text)).toBe(shown);
  expect(JSON.parse(`"${shown}"`)).toBe(text);
});

it("keeps line breaks and tabs where there may be some, and has an escape of YAML", () => {
  expect(visible("a\n\tb\r")).toBe("a\\u000a\\u0009b\\u000d");
  expect(visible("a\n\tb\r", true)).toBe("a\n\tb\\u000d");
  expect(visible("\u{e0041}\u202e", false, yamlEscape)).toBe("\\U000e0041\\u202e");
});
