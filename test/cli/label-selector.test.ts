import { expect, test } from "vitest";
import { labelSelector } from "../../src/cli/label-selector.js";
import { parseLabelSelector } from "../../src/resource/parse-label-selector.js";

test.each([
  ["tier=web", "tier in (web)"],
  ["tier==web, env = prod", "tier in (web),env in (prod)"],
  ["example.com/tier=web,env in (prod, test)", "example.com/tier in (web),env in (prod, test)"],
  ["tier in (web, api),env=", "tier in (web, api),env in ()"],
])("%s is what the server calls %s", (text, expected) => {
  expect(labelSelector(text)).toBe(expected);
  expect(() => parseLabelSelector(expected)).not.toThrow();
});

test.each(["tier!=web", "tier", "tier=web env=prod", "tier in (a=b)"])(
  "%s is left for the server to refuse",
  (text) => {
    expect(labelSelector(text)).toBe(text);
  },
);
