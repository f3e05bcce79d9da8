import { expect, it } from "vitest";
import { parseExact, stringifyExact } from "../../src/manifest/exact.js";
import { parseManifests } from "../../src/manifest/parse-manifests.js";
import { yamlText } from "../../src/manifest/yaml.js";
import { Random } from "../support/seed.js";

const TEXTS = [
  ...[
    "",
    " ",
    "a",
    "a b",
    " a ",
    "a\n",
    "\na",
    "a\n\n",
    "a\n b\n",
    "\n",
    "\t",
    "a\tb",
    "a: b",
    "a #b",
    "#",
    "- a",
    "?",
    ":",
    "-",
  ],
  ...[
    "0644",
    "1_000",
    "0x10",
    "0o7",
    "1e3",
    ".5",
    "+1",
    ".inf",
    "-.INF",
    ".nan",
    "null",
    "~",
    "true",
    "yes",
    "No",
    "<<",
    "=",
  ],
  ...[
    "*a",
    "&a",
    "!a",
    "!!set",
    "%a",
    "@a",
    "`a",
    "{",
    "}",
    "[",
    "]",
    ",",
    "'",
    '"',
    "\\",
    "|",
    ">",
    "---",
    "...",
    "2026-01-01",
  ],
  ...[
    "\ufeff",
    "\u0085",
    "\u2028",
    "\u0001",
    "\u007f",
    "é",
    "😀",
    "__proto__",
    "\r\n",
    "a\r",
    "x".repeat(200),
    `${"y ".repeat(90)}z`,
  ],
];
const NUMBERS = ["0", "-0", "1.10", "12345678901234567890", "1e-400", "-1.5E+3", "9007199254740993"];

it("writes YAML that is read back as the same value, whatever is in it", () => {
  const random = new Random(12);
  const value = (depth: number): string => {
    const kind = random.below(depth === 0 ? 5 : 8);
    if (kind < 3) return JSON.stringify(random.picks(TEXTS, 1 + random.below(2)).join(""));
    if (kind === 3) return random.pick(NUMBERS);
    if (kind === 4) return random.pick(["true", "false", "null"]);
    if (kind === 5) return `[${Array.from({ length: random.below(4) }, () => value(depth - 1)).join(",")}]`;
    const keys = new Set(random.picks(TEXTS, random.below(4)));
    return `{${[...keys].map((key) => `${JSON.stringify(key)}:${value(depth - 1)}`).join(",")}}`;
  };
  for (let round = 0; round < 1_500; round++) {
    const spec = value(3);
    const text = yamlText({ group: "g", kind: "k", name: "n", spec: parseExact(spec) });
    const { manifests, problems } = parseManifests(text, "a.yaml", "default");
    // Through the same reader, because a JavaScript object puts keys that are numbers first.
    const wanted = stringifyExact(parseExact(spec));
    const got = stringifyExact(parseExact(manifests[0]?.draft.specJson ?? "null"));
    expect([got, problems], text).toEqual([wanted, []]);
  }
});
