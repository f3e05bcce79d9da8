import { describe, expect, test } from "vitest";
import type { LabelSelector } from "../../src/resource/label-selector.js";
import { parseLabelSelector } from "../../src/resource/parse-label-selector.js";
import { Random } from "../support/seed.js";

/** A selector as pairs: easier on the eye. */
const pairs = (text: string) => parseLabelSelector(text).requirements.map(({ key, values }) => [key, values]);

describe("parseLabelSelector", () => {
  test.each<[string, [string, string[]][]]>([
    ["a in (b)", [["a", ["b"]]]],
    [
      "a in (b,c),d IN (e)",
      [
        ["a", ["b", "c"]],
        ["d", ["e"]],
      ],
    ],
    [
      " a\tiN(b , c)\n,\rd in ( e ) ",
      [
        ["a", ["b", "c"]],
        ["d", ["e"]],
      ],
    ],
    ["in in (in)", [["in", ["in"]]]],
    ["a in ()", [["a", [""]]]],
    ["a in (a,)", [["a", ["a", ""]]]],
    ["a in (,a)", [["a", ["", "a"]]]],
    ["a in (a,,b)", [["a", ["a", "", "b"]]]],
    ['a in ("a b,c", "")', [["a", ["a b,c", ""]]]],
    ['a in ("\\"\\\\\\/\\n\\u00e9\\ud83d\\ude00\\U0001F600\\x41\\a")', [["a", ['"\\/\né😀😀A\x07']]]],
    ["app.io/tier-1_x%& in (v1.2;+'é😀)", [["app.io/tier-1_x%&", ["v1.2;+'é😀"]]]],
    [
      "a in (b),a in (c)",
      [
        ["a", ["b"]],
        ["a", ["c"]],
      ],
    ],
    ["__proto__ in (constructor)", [["__proto__", ["constructor"]]]],
    [Array.from({ length: 6 }, (_, i) => `k${i} in (v)`).join(), Array.from({ length: 6 }, (_, i) => [`k${i}`, ["v"]])],
  ])("reads %j", (text, expected) => expect(pairs(text)).toEqual(expected));

  test.each([
    ["", "must not be blank; leave it out"],
    [" \t ", "must not be blank; leave it out"],
    [",a in (b)", 'must have a label key at character 1 (got ",")'],
    ["a in (b),", "must have a label key at character 10 (got the end)"],
    ["a in (b),,c in (d)", 'must have a label key at character 10 (got ",")'],
    ["a", 'must have "in" at character 2 (got the end): it is the only operator, as in: a in (value)'],
    ["a=b", 'must have "in" at character 2 (got "=")'],
    ["a notin (b)", 'must have "in" at character 3 (got "n")'],
    ["!a", 'must have a label key at character 1 (got "!")'],
    ['"a" in (b)', "must have a label key at character 1"],
    ["a in b", 'must have "(" at character 6 (got "b")'],
    ["a in (b", 'must have "," or ")" at character 8 (got the end)'],
    ["a in (b c)", 'must have "," or ")" at character 9 (got "c")'],
    ['a in (b"c")', 'must have "," or ")" at character 8'],
    ["a in (b=c)", 'must have "," or ")" at character 8 (got "=")'],
    ["a in (b)c", 'must have "," or the end at character 9 (got "c")'],
    ["a in (b))", 'must have "," or the end at character 9 (got ")")'],
    ['a in ("b', "must have a closed quotation at character 7"],
    ['a in ("b\\")', "must have a closed quotation at character 7"],
    ['a in ("b\\q")', "must have an escape at character 9"],
    ['a in ("\\U00110000")', "must have an escape at character 8"],
    ['a in ("\\u0000")', "must not contain the NUL character"],
    ['a in ("\\ud800")', "must be Unicode text"],
    ["a in (\0)", "must not contain the NUL character"],
    [Array.from({ length: 7 }, () => "k in (v)").join(), "must have at most 6 requirements; leave some out"],
    [`a in (${"x".repeat(20_000)})`, "must be at most 16384 characters long (got 20007)"],
  ])("refuses %j", (text, message) => expect(() => parseLabelSelector(text)).toThrow(`label_selector ${message}`));

  test("reads back what is written, however it is spaced and quoted", () => {
    const random = new Random(3);
    for (let round = 0; round < 3_000; round++) {
      const requirements: LabelSelector["requirements"] = Array.from({ length: 1 + random.below(6) }, () => ({
        key: word(random, 1),
        values: Array.from({ length: 1 + random.below(4) }, () => (random.below(2) ? word(random, 0) : text(random))),
      }));
      expect(parseLabelSelector(write(requirements, random)).requirements).toEqual(requirements);
    }
  });

  test("never fails in another way than by its own error", () => {
    const random = new Random(4);
    const pieces = ["a", "in", "(", ")", ",", '"', "\\", " ", "=", "!", "é", "\\u00", "x in (y)"];
    for (let round = 0; round < 20_000; round++) {
      const text = random.picks(pieces, random.below(9)).join("");
      try {
        parseLabelSelector(text);
      } catch (error) {
        expect(String(error), text).toContain("DomainError: label_selector must");
      }
    }
  });
});

const word = (random: Random, min: number) => random.picks([..."abc-_./é😀in"], min + random.below(5)).join("");
const text = (random: Random) => random.picks([...'ab ,()=!"\\\n\té😀'], random.below(6)).join("");

function write(requirements: LabelSelector["requirements"], random: Random): string {
  const space = () => random.pick(["", "", " ", "\t\n"]);
  const value = (value: string) => (/[\s"=!(),]/.test(value) || random.below(2) ? JSON.stringify(value) : value);
  return requirements
    .map(({ key, values }) => {
      const list = values.map((v) => space() + value(v) + space()).join(",");
      return `${space()}${key} ${space()}${random.pick(["in", "IN", "In"])}${space()}(${list})${space()}`;
    })
    .join(",");
}
