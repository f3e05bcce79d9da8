import { expect, it } from "vitest";
import { utf8Text } from "../../src/cli/utf8-text.js";

it("takes UTF-8 as it is, a replacement character that somebody wrote too", () => {
  const text = "é\ufffd😀\n";
  expect(utf8Text(Buffer.from(text), "a.yaml")).toEqual({ text });
});

it.each([
  [
    Buffer.concat([Buffer.from("a: \ufffd\nbé: "), Buffer.from([0xe9, 0x0a])]),
    "a.yaml:2:5: must be UTF-8 text (got the byte 0xe9)",
  ],
  [Buffer.from([0x61, 0xf0, 0x9f, 0x98]), "a.yaml:1:2: must be UTF-8 text (got the byte 0xf0)"],
  [Buffer.from([0xed, 0xa0, 0x80]), "a.yaml:1:1: must be UTF-8 text (got the byte 0xed)"],
  [Buffer.from("\ufeffname: n", "utf16le"), "a.yaml:1:1: must be UTF-8 text and is UTF-16"],
])("says where bytes are no UTF-8: %s", (bytes, problem) => {
  expect(utf8Text(bytes, "a.yaml")).toEqual({ problem: expect.stringContaining(problem) });
});
