import { describe, expect, test } from "vitest";
import { DomainError } from "../../src/resource/errors.js";
import { duplicateKey } from "../../src/resource/json-keys.js";
import { checkJsonText, elementSpans, memberSpans, rawFields } from "../../src/resource/json-text.js";
import { Random } from "../support/seed.js";

function errorOf(text: string): string {
  try {
    checkJsonText("spec", text);
  } catch (error) {
    if (error instanceof DomainError) return error.message;
    throw error;
  }
  return "";
}

/** Members k0, k1, … */
const wide = (count: number) => Array.from({ length: count }, (_, i) => `"k${i}":{"k0":${i}}`).join(",");
const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

describe("checkJsonText", () => {
  test.each([
    "null",
    " true ",
    "0",
    "-0.5e-7",
    '""',
    "[]",
    "{ }",
    '{"a":[1,{"b":"c"}],"__proto__":{}}',
    '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}',
    '{"ab":1,"ba":2,"aab":3,"\\u0061":4,"\\\\u0061":5,"A":6}',
    `[{${wide(40)}},{${wide(40)}}]`,
    "12345678901234567890",
    "0.1000000000000000055511151231257827",
    "1e-400",
    "1.7976931348623157e308",
    nested(30),
    '"\\ud83d\\ude00 😀 \\u0001"',
    `"${"x".repeat(100_000)}"`,
  ])("accepts %j", (text) => expect(errorOf(text)).toBe(""));

  test.each([
    ["1e131071", "spec must be within double range (got 1e131071)"],
    ['{"a":{"b":[0,1,2,-1e400]}}', "spec.a.b[3] must be within double range (got -1e400)"],
    [`{"a":${"9".repeat(400)}}`, `spec.a must be within double range (got ${"9".repeat(64)}…)`],
    [nested(31), `spec${"[0]".repeat(30)} must not be nested deeper than 30 levels`],
    ['{"a b":"\\u0000"}', 'spec["a b"] must not contain the NUL character (\\u0000); remove it'],
    ['{"a\\u0000":1}', 'spec["a\\u0000"] must not contain the NUL character (\\u0000); remove it'],
    ['{"__proto__":[{},{"":1e999}]}', 'spec.__proto__[1][""] must be within double range (got 1e999)'],
    ['[[1],[2],{"x":[0],"y":1e999}]', "spec[2].y must be within double range (got 1e999)"],
    ['{"a":1,"b":2,"a":1}', "spec.a must not be given twice in one object; remove all but one"],
    ['{"a":1,"\\u0061":2}', "spec.a must not be given twice in one object; remove all but one"],
    ['{"\\u0061":1,"a":2}', "spec.a must not be given twice in one object; remove all but one"],
    [
      '{"x":[0,{"a b":1,"c":{},"a b":2}]}',
      'spec.x[1]["a b"] must not be given twice in one object; remove all but one',
    ],
    ['{"":1,"":2}', 'spec[""] must not be given twice in one object; remove all but one'],
    ['{"__proto__":1,"__proto__":2}', "spec.__proto__ must not be given twice in one object; remove all but one"],
    [`{${wide(100)},"k7":0}`, "spec.k7 must not be given twice in one object; remove all but one"],
    [`{${wide(100)},"k99":0}`, "spec.k99 must not be given twice in one object; remove all but one"],
    [`[{${wide(40)}},{${wide(40)},"k39":0}]`, "spec[1].k39 must not be given twice in one object; remove all but one"],
  ])("refuses %j by its path", (text, message) => expect(errorOf(text)).toBe(message));

  test.each([
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\ud800\\u0041"',
    '"\ud800"',
    '"a\udc00"',
    '"\ud800\\udc00"',
    '"\\ud800\udc00"',
  ])("refuses the lone surrogate of %j, raw or escaped", (text) =>
    expect(errorOf(text)).toMatch(/^spec must be Unicode text: \\ud[8c]00 is half of a surrogate pair/),
  );

  test.each([
    ["", "spec must be valid JSON: unexpected end at character 1"],
    ['{"a":1,}', 'spec must be valid JSON: unexpected "}" at character 8'],
    ["[1,]", 'spec must be valid JSON: unexpected "]" at character 4'],
    ["01", 'spec must be valid JSON: unexpected "1" at character 2'],
    ["nul", 'spec must be valid JSON: unexpected "n" at character 1'],
    ["1 2", 'spec must be valid JSON: unexpected "2" at character 3'],
    ['"a\nb"', 'spec must be valid JSON: unexpected "\\n" at character 3'],
    ['"a\0b"', 'spec must be valid JSON: unexpected "\\u0000" at character 3'],
    ['"a', "spec must be valid JSON: unexpected end at character 3"],
    ['"a\\', "spec must be valid JSON: unexpected end at character 4"],
    ["\ufeff{}", "spec must be valid JSON: unexpected U+FEFF at character 1"],
    ["1\u00a0", "spec must be valid JSON: unexpected U+00A0 at character 2"],
    ["😀", 'spec must be valid JSON: unexpected "😀" at character 1'],
  ])("says where the syntax of %j breaks", (text, message) => expect(errorOf(text)).toBe(message));

  test("keeps its error small when a key is huge", () => {
    expect(errorOf(`{"${"k".repeat(100_000)}":1e999}`).length).toBeLessThan(200);
  });

  test("accepts and refuses the same texts as JSON.parse", () => {
    const random = new Random(1);
    const alphabet = [
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      " ",
      "\n",
      '"',
      '"a"',
      "\\",
      "\\n",
      "\\u0041",
      "0",
      "1",
      "-",
      ".",
      "e",
      "E+2",
      "true",
      "null",
      "é",
      "\u0007",
    ];
    let valid = 0;
    for (let round = 0; round < 60_000; round++) {
      const text =
        round % 2 === 0 ? mutate(randomJson(random, 3), random) : random.picks(alphabet, random.below(7)).join("");
      if (duplicateKey("", text) !== undefined) continue;
      const isValid = parses(text);
      if (isValid) valid++;
      expect(errorOf(text) === "", text).toBe(isValid);
    }
    expect(valid).toBeGreaterThan(1_000);
  });
});

describe("rawFields", () => {
  test("keeps the text of every value and decodes keys", () => {
    const text = '{ "a" : 12345678901234567890 , "\\u0062":{"x": [1, "}"]},"c":"\\"]" ,"d":null, "e":[ ] }';
    expect([...rawFields(text)]).toEqual([
      ["a", "12345678901234567890"],
      ["b", '{"x": [1, "}"]}'],
      ["c", '"\\"]"'],
      ["d", "null"],
      ["e", "[ ]"],
    ]);
  });

  test("lets the last of equal keys count and knows no special key", () => {
    const fields = rawFields('{"a":1,"__proto__":{"x":1},"\\u0061":2}');
    expect([...fields]).toEqual([
      ["a", "2"],
      ["__proto__", '{"x":1}'],
    ]);
  });

  test("copes with nesting that would overflow a stack", () => {
    const deep = nested(200_000);
    expect(rawFields(`{"deep":${deep},"a":1}`).get("a")).toBe("1");
  });

  test("agrees with JSON.parse on random objects", () => {
    const random = new Random(2);
    for (let round = 0; round < 3_000; round++) {
      const text = `{"k${round}":${randomJson(random, 3)}, "\\"":${randomJson(random, 2)}}`;
      for (const [key, value] of Object.entries(JSON.parse(text))) {
        expect(JSON.parse(rawFields(text).get(key) ?? "")).toEqual(value);
      }
    }
  });
});

describe("spans", () => {
  test("report duplicates and empty containers", () => {
    expect(memberSpans('{"a":1,"a":22}')).toEqual([
      { key: "a", start: 5, end: 6 },
      { key: "a", start: 11, end: 13 },
    ]);
    expect(elementSpans(' [ 1, "," ,{}]')).toEqual([
      { start: 3, end: 4 },
      { start: 6, end: 9 },
      { start: 11, end: 13 },
    ]);
    expect(memberSpans("{}")).toEqual([]);
    expect(elementSpans("[ ]")).toEqual([]);
  });
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function randomJson(random: Random, depth: number): string {
  const space = random.pick(["", "", " ", "\n\t"]);
  const inner = () => randomJson(random, depth - 1);
  switch (random.below(depth === 0 ? 4 : 6)) {
    case 0:
      return `${space}${random.below(1_000_000) - 500_000}`;
    case 1:
      return `${random.below(99)}.${random.below(99)}e-${random.below(9)}${space}`;
    case 2:
      return JSON.stringify(random.picks(["a", '"', "\\", "é", "\n", "}", ","], random.below(5)).join(""));
    case 3:
      return `${random.pick(["true", "false", "null"])}${space}`;
    case 4:
      return `[${Array.from({ length: random.below(4) }, inner).join(`${space},`)}${space}]`;
    default:
      return `{${Array.from({ length: random.below(4) }, (_, i) => `${space}"k${i}":${inner()}`).join(",")}}`;
  }
}

function mutate(text: string, random: Random): string {
  if (random.below(3) === 0) return text;
  const at = random.below(text.length + 1);
  const inserted = random.pick(["", "", ",", '"', "]", "1", "\\", " "]);
  return text.slice(0, at) + inserted + text.slice(at + random.below(2));
}
