import { describe, expect, test } from "vitest";
import { sameJson } from "../../src/resource/same-json.js";
import { Random } from "../support/seed.js";

describe("sameJson", () => {
  test.each([
    ['{"a":[1,2]}', ' { "a" : [ 1 ,\n2 ] }\t'],
    ['"a b"', '"a b"'],
    ['{"html":"x","port":1}', '{"port":1,"html":"x"}'],
    ['{"a":1,"b":{"c":[{"d":1,"e":2}],"f":3},"g":4}', '{"a":1,"g":4,"b":{"f":3,"c":[{"e":2,"d":1}]}}'],
    ['{"a":1,"b":2,"c":3}', '{"a":1,"c":3,"b":2}'],
    ["1", "1.0"],
    ["1", "1e0"],
    ["10", "1E+1"],
    ["100", "0.1e3"],
    ["-0.5", "-50e-2"],
    ["0", "-0"],
    ["0", "0.00e7"],
    ["1200000", "1.2e6"],
    ["12345678901234567890.10", "12345678901234567890.1"],
    ['"a"', '"\\u0061"'],
    ['"/"', '"\\/"'],
    ['{"a":1}', '{"\\u0061":1}'],
    ['{"b":0,"a":1}', '{"\\u0061":1,"b":0}'],
    ["[]", "[ ]"],
    ["{}", "{\n}"],
    ['{"__proto__":1,"constructor":2}', '{"constructor":2,"__proto__":1}'],
  ])("%s is %s", (a, b) => {
    expect(sameJson(a, b)).toBe(true);
    expect(sameJson(b, a)).toBe(true);
  });

  test.each([
    ['"a b"', '"ab"'],
    ['"\\" "', '"\\""'],
    ["12345678901234567890", "12345678901234567891"],
    ["9007199254740993", "9007199254740992"],
    ["0.1", "0.10000000000000000001"],
    ["1", "-1"],
    ["1", "10"],
    ["1", "0"],
    ["0", "1e-400"],
    ["1e-400", "1e-401"],
    ["1e-999999999999999999998", "1e-999999999999999999999"],
    ["1", '"1"'],
    ["true", "false"],
    ["null", "0"],
    ["[1,2]", "[2,1]"],
    ["[1]", "[1,1]"],
    ["[]", "{}"],
    ['{"a":1}', '{"a":1,"b":1}'],
    ['{"a":1,"b":1}', '{"b":1,"c":1}'],
    ['{"a":null}', "{}"],
    ['{"a":1,"b":[{"c":1}]}', '{"b":[{"c":2}],"a":1}'],
    ['{"toString":1}', '{"a":1}'],
  ])("%s is not %s", (a, b) => {
    expect(sameJson(a, b)).toBe(false);
    expect(sameJson(b, a)).toBe(false);
  });

  test("takes null for the text null", () => {
    expect(sameJson(null, " null ")).toBe(true);
    expect(sameJson(null, "{}")).toBe(false);
  });

  test("a key given twice is not what it is read as, so that an apply replaces it", () => {
    expect(sameJson('{"a":1,"a":2}', '{"a":2}')).toBe(false);
    expect(sameJson('{"a":2}', '{"a":1,"a":2}')).toBe(false);
    expect(sameJson('{"b":1,"a":1,"a":2}', '{"a":2,"b":1}')).toBe(false);
    expect(sameJson('{"a":1,"a":2}', '{"a":1, "a":2}')).toBe(true);
  });

  test("nesting that no server stores overflows no stack", () => {
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    expect(sameJson(deep, deep)).toBe(true);
    expect(sameJson(deep, ` ${deep}`)).toBe(false);
  });

  test("long runs of zeros cost no more than their length", () => {
    const zeros = "0".repeat(200_000);
    expect(sameJson(`1${zeros}1`, `1${zeros}2`)).toBe(false);
    expect(sameJson(`0.1${zeros}`, "0.1")).toBe(true);
  });

  test("finds a random value again however it is written, and tells it from a changed one", () => {
    const random = new Random(20);
    for (let round = 0; round < 3_000; round++) {
      const value = randomValue(random, 4);
      const [a, b] = [write(value, random), write(value, random)];
      expect(sameJson(a, b), `${a}\n${b}`).toBe(true);
      const changed = write(change(value, random), random);
      expect(sameJson(a, changed), `${a}\n${changed}`).toBe(false);
    }
  });
});

/** A number is its digits and its exponent, so that no double rounds it. */
type Value =
  | null
  | boolean
  | string
  | Value[]
  | Map<string, Value>
  | { readonly digits: string; readonly exponent: number };

const KEYS = ["a", "b", "c", "", '"', "\\", "ü", "__proto__", "length", "{"];

function randomValue(random: Random, depth: number): Value {
  switch (random.below(depth === 0 ? 4 : 6)) {
    case 0:
      return random.pick<Value>([null, true, false]);
    case 1:
      return random.picks(KEYS, random.below(4)).join("");
    case 2:
    case 3:
      return { digits: `${1 + random.below(1e9)}${random.below(1e9)}1`, exponent: random.below(9) - 4 };
    case 4:
      return Array.from({ length: random.below(4) }, () => randomValue(random, depth - 1));
    default:
      return new Map(random.picks(KEYS, random.below(5)).map((key) => [key, randomValue(random, depth - 1)]));
  }
}

/** Another value, which differs in one place. */
function change(value: Value, random: Random): Value {
  if (Array.isArray(value)) {
    const at = random.below(value.length + 1);
    const [found] = value.slice(at, at + 1);
    return found === undefined ? [...value, null] : value.with(at, change(found, random));
  }
  if (value instanceof Map) {
    if (value.size === 0) return new Map([["new", null]]);
    const key = random.pick([...value.keys()]);
    const changed = new Map(value);
    if (random.below(4) === 0) changed.delete(key);
    else changed.set(key, change(value.get(key) ?? null, random));
    return changed;
  }
  if (typeof value === "string") return `${value}!`;
  if (typeof value !== "object") return value === null ? false : null;
  if (value === null) return true;
  return { ...value, digits: value.digits.replace(/.$/, "3") };
}

function write(value: Value, random: Random): string {
  const space = random.pick(["", "", " ", "\n"]);
  if (Array.isArray(value)) return `${space}[${value.map((each) => write(each, random)).join(`${space},`)}${space}]`;
  if (value instanceof Map) {
    const members = [...value].map(([key, each]) => `${space}${writeText(key, random)}:${write(each, random)}`);
    return `{${random.shuffled(members).join(",")}${space}}`;
  }
  if (typeof value === "string") return writeText(value, random);
  if (typeof value !== "object" || value === null) return String(value);
  const { digits, exponent } = value;
  const shift = random.below(4);
  const zeros = "0".repeat(random.below(3));
  return random.below(2) === 0
    ? `${digits}${"0".repeat(shift)}e${exponent - shift}`
    : `${digits.slice(0, 3)}.${digits.slice(3)}${zeros}E${exponent + digits.length - 3}`;
}

function writeText(text: string, random: Random): string {
  if (random.below(2) === 0) return JSON.stringify(text);
  return `"${[...text].map((each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")}"`;
}
