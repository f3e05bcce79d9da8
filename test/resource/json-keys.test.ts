import { describe, expect, test } from "vitest";
import { duplicateKey } from "../../src/resource/json-keys.js";
import { checkJsonText } from "../../src/resource/json-text.js";
import { Random } from "../support/seed.js";

describe("duplicateKey", () => {
  test.each([
    ["{}", undefined],
    ['{"a":"a","b":["a","a",{"a":1}]}', undefined],
    ['{"name":"x","spec":{"a":1},"name":"y"}', "name"],
    ['{"spec":[{},{"a":[1,2,3],"\\u0061":1}]}', "spec[1].a"],
    ['{"a":"\\"a\\":1,","a":2}', "a"],
    ['{"a b":1,"c":{"a b":1},"a b":2}', '["a b"]'],
  ])("finds in %s the path %s", (text, path) => expect(duplicateKey("", text)).toBe(path));

  test("copes with what is no JSON, and with nesting that would overflow a stack", () => {
    for (const text of ["", "}", "]]", '{"a', '{"a"', "{,,", '{"a":1]', '{"\\u":1,"\\u":2}', "nonsense", ',"a","a"']) {
      expect(() => duplicateKey("", text)).not.toThrow();
    }
    expect(duplicateKey("", '{"a":'.repeat(100_000))).toBeUndefined();
  });

  test("agrees with the checker, and with counting, on random objects", () => {
    const random = new Random(11);
    const names = ["a", "b", "\\u0061", "A", "ab", "ba", "a\\u0062", "", "k1", "k2", "\\n", "\\\\n"];
    const object = (depth: number): string => {
      const keys = random.picks(names, random.below(random.below(4) === 0 ? 24 : 4));
      const more = random.below(3) === 0 ? Array.from({ length: random.below(30) }, (_, i) => `n${i}`) : [];
      const members = [...keys, ...more].map((key) => `"${key}":${depth > 0 ? object(depth - 1) : "[1,{}]"}`);
      return `{${members.join(", ")}}`;
    };
    let found = 0;
    for (let round = 0; round < 1_000; round++) {
      const text = object(random.below(2));
      const path = duplicateKey("spec", text);
      if (path !== undefined) found++;
      expect(path !== undefined, text).toBe(countKeys(text) > countParsed(JSON.parse(text)));
      const check = () => checkJsonText("spec", text);
      if (path === undefined) check();
      else expect(check, text).toThrow(`${path} must not be given twice`);
    }
    expect(found).toBeGreaterThan(100);
    expect(found).toBeLessThan(900);
  });
});

/** Every member has one colon behind its key, and no string of the test has one. */
function countKeys(text: string): number {
  return text.split(":").length - 1;
}

/** Without the members of values that a later equal key replaced, which are counted by neither or found. */
function countParsed(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const values = Object.values(value);
  return (Array.isArray(value) ? 0 : values.length) + values.reduce((sum, each) => sum + countParsed(each), 0);
}
