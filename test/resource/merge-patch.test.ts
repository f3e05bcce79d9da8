import { describe, expect, test } from "vitest";
import { mergePatch } from "../../src/resource/merge-patch.js";
import { Random } from "../support/seed.js";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

describe("mergePatch", () => {
  // The examples of RFC 7396, appendix A.
  test.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', "{}"],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', "null", "null"],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ["[1,2]", '{"a":"b","c":null}', '{"a":"b"}'],
    ["{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ])("%s merged with %s is %s", (target, patch, result) => expect(mergePatch(target, patch)).toBe(result));

  test("a status that is not there, or null, is an empty one", () => {
    expect(mergePatch(null, '{"a":1,"b":null}')).toBe('{"a":1}');
    expect(mergePatch(" null ", ' {"a":1} ')).toBe('{"a":1}');
  });

  test("rounds no number, and keeps the text of what it does not touch", () => {
    const target = ' { "id" : 12345678901234567890, "big": [1e-400,  0.10], "x": { "y": 1.0 } } ';
    expect(mergePatch(target, '{"x":{"z":98765432109876543210}}')).toBe(
      '{"id":12345678901234567890,"big":[1e-400,  0.10],"x":{"y":1.0,"z":98765432109876543210}}',
    );
  });

  test("takes __proto__ for a member like any other, and the last of equal keys", () => {
    expect(mergePatch('{"__proto__":{"a":1},"b":1,"b":2}', '{"__proto__":{"c":1}}')).toBe(
      '{"__proto__":{"a":1,"c":1},"b":2}',
    );
  });

  test("does what the RFC's algorithm does, on random documents", () => {
    const random = new Random(7396);
    const value = (depth: number): Json => {
      const kind = random.below(depth === 0 ? 5 : 8);
      if (kind === 0) return null;
      if (kind === 1) return random.below(2) === 0;
      if (kind === 2) return random.below(1_000) / 8;
      if (kind < 5) return random.picks(["", "null", '"', "\\", "{", "ü", ":,"], 2).join("");
      const count = random.below(4);
      if (kind === 5) return Array.from({ length: count }, () => value(depth - 1));
      return Object.fromEntries(
        random.picks(["a", "b", "c", '"', "null", ""], count).map((key) => [key, value(depth - 1)]),
      );
    };
    for (let run = 0; run < 5_000; run++) {
      const [target, patch] = [value(4), value(4)];
      const space = random.below(3);
      const merged = mergePatch(JSON.stringify(target, null, space), JSON.stringify(patch, null, space));
      expect(JSON.parse(merged)).toEqual(mergeByTheBook(target, patch));
    }
  });
});

/** The pseudo code of RFC 7396, section 2. */
function mergeByTheBook(target: Json | undefined, patch: Json): Json {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const isObject = typeof target === "object" && target !== null && !Array.isArray(target);
  const result: { [key: string]: Json } = isObject ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergeByTheBook(result[name], value);
  }
  return result;
}
