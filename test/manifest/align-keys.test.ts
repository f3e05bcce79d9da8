import { expect, it } from "vitest";
import { alignKeys } from "../../src/manifest/align-keys.js";
import { parseExact, stringifyExact } from "../../src/manifest/exact.js";

it.each([
  ['{"b":1,"a":2}', '{"a":1,"b":1}', '{"a":2,"b":1}'],
  [
    '{"new":0,"b":{"y":1,"x":1.10},"a":[{"d":1,"c":1}]}',
    '{"a":[{"c":1,"d":1}],"gone":1,"b":{"x":1,"y":2}}',
    '{"a":[{"c":1,"d":1}],"b":{"x":1.10,"y":1},"new":0}',
  ],
  ['{"a":{"z":1,"y":1}}', '{"a":[1]}', '{"a":{"z":1,"y":1}}'],
  ['{"__proto__":1,"a":2}', '{"a":1,"__proto__":2}', '{"a":2,"__proto__":1}'],
  ["5", "{}", "5"],
])("writes %s in the order of %s", (value, like, aligned) => {
  expect(stringifyExact(alignKeys(parseExact(value), parseExact(like)))).toBe(aligned);
});
