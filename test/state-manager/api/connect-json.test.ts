import { describe, expect, test } from "vitest";
import { decodeConnectJson } from "../../../src/state-manager/api/connect-json.js";

const decode = (text: string) => decodeConnectJson(Buffer.from(text));

describe("a message in Connect JSON", () => {
  test.each([
    '{"resource":{"spec":{"id":9007199254740992,"n":[0.1,1e300,-9007199254740991]}}}',
    '{"expectedRevision":"9007199254740993","resource":{"specJson":"{\\"id\\": 12345678901234567890}"}}',
    '{"load":0.1000000000000000055511151231257827,"big":100000000000000000000}',
    '{"written by JSON.stringify":[12345678901234567000,1.2345678901234567e+22]}',
    `{"a":${"9".repeat(400)},"b":-${"9".repeat(400)}}`, // out of range, which is refused behind it
    `{"spec":${"[".repeat(50_000)}9007199254740993${"]".repeat(50_000)}}`, // refused behind it
    '{"a":12345678901234567,',
  ])("is taken as it is: %#", (text) => expect(decode(text)).toBe(text));

  test("loses its byte order mark", () => expect(decode("\ufeff{}")).toBe("{}"));

  test.each([
    [
      '{"resource":{"spec":{"ids":[1,9007199254740993]}}}',
      "resource.spec.ids[1] must not be an integer of more digits than a double keeps",
    ],
    [
      '{"expectedRevision": -12345678901234567890}',
      "expectedRevision must not be an integer of more digits than a double keeps (got -123",
    ],
    ['{"a":1,"b":{"c":1,"\\u0063":2}}', "b.c must not be given twice in one object"],
  ])("is refused by path for what would change: %s", (text, message) => {
    expect(() => decode(text)).toThrow(message);
  });

  test("must be UTF-8", () => expect(() => decodeConnectJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow(TypeError));
});
