import { expect, test } from "vitest";
import { decodeHistoryToken, encodeHistoryToken } from "../../../src/state-manager/service/history-token.js";
import { thingKey } from "../../support/things.js";

const position = { revision: 2n ** 63n - 1n, log: 63 };
const token = encodeHistoryToken(position, thingKey("a"));
const content = JSON.parse(Buffer.from(token, "base64url").toString());
const raw = (parts: unknown) => Buffer.from(JSON.stringify(parts)).toString("base64url");

test("carries the place", () => {
  expect(decodeHistoryToken(token, thingKey("a"))).toEqual(position);
});

test("is refused for another key", () => {
  expect(() => decodeHistoryToken(token, thingKey("b"))).toThrow(
    "page_token belongs to the history of another resource",
  );
});

test.each([
  "x",
  raw([]),
  raw(content.with(0, 2)),
  raw(content.with(1, 5)),
  raw(content.with(1, "9223372036854775808")),
  raw(content.with(2, 64)),
  raw(content.with(2, 0.5)),
  raw(content.with(3, null)),
  raw([...content, 1]),
])("is refused when no server wrote it: %j", (text) => {
  expect(() => decodeHistoryToken(text, thingKey("a"))).toThrow(
    "page_token must be a token as the page before returned it",
  );
});
