import { describe, expect, test } from "vitest";
import { decodePageToken, encodePageToken } from "../../../src/state-manager/service/page-token.js";

const selection = { filter: { kind: "Widget" }, pendingOnly: false };
const position = { afterId: 9223372036854775807n, resumeToken: "r" };
const raw = (content: unknown) => Buffer.from(JSON.stringify(content)).toString("base64url");

describe("page tokens", () => {
  test("carry the position", () => {
    expect(decodePageToken(encodePageToken(position, selection), selection)).toEqual(position);
    const spelledOut = { filter: { kind: "Widget", name: undefined }, pendingOnly: false };
    expect(decodePageToken(encodePageToken(position, selection), spelledOut)).toEqual(position);
  });

  test.each([
    { filter: { kind: "Widget" }, pendingOnly: true },
    { filter: { resourceGroup: "Widget" }, pendingOnly: false },
    { filter: {}, pendingOnly: false },
    { filter: { kind: "Widget", labels: { requirements: [{ key: "a", values: ["b"] }] } }, pendingOnly: false },
  ])("are refused for another selection: %j", (other) => {
    const token = encodePageToken(position, selection);
    expect(() => decodePageToken(token, other)).toThrow("page_token belongs to a list with another filter");
  });

  const good = JSON.parse(Buffer.from(encodePageToken(position, selection), "base64url").toString());
  test.each([
    "x",
    "\0",
    "page",
    raw(null),
    raw({}),
    raw([]),
    raw(good.with(0, 2)),
    raw(good.with(1, 5)),
    raw(good.with(1, "-1")),
    raw(good.with(1, "9223372036854775808")),
    raw(good.with(3, null)),
    raw([...good, 1]),
    "x".repeat(5_000),
  ])("are refused when no server wrote them: %j", (token) => {
    expect(() => decodePageToken(token, selection)).toThrow(
      "page_token must be a token as the page before returned it",
    );
  });
});
