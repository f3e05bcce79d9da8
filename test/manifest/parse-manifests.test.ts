import { describe, expect, it } from "vitest";
import { parseManifests } from "../../src/manifest/parse-manifests.js";

describe("parseManifests", () => {
  it("reads every field, and fills in what may be left out", () => {
    const text = `
group: demo
kind: part
name: leg
namespace: shop
shard: s1
owner: { kind: table, name: t }
labels: { tier: web }
annotations: { note: x }
finalizers: [demo/hold]
spec: { size: 3 }
---
group: demo
kind: part
name: bare
`;
    const { manifests, problems } = parseManifests(text, "a.yaml", "fallback");
    expect(problems).toEqual([]);
    expect(manifests.map(({ draft }) => draft)).toEqual([
      {
        key: { resourceGroup: "demo", kind: "part", namespace: "shop", name: "leg" },
        shardId: "s1",
        owner: { resourceGroup: "demo", kind: "table", name: "t" },
        labels: new Map([["tier", "web"]]),
        annotations: new Map([["note", "x"]]),
        finalizers: ["demo/hold"],
        specJson: '{"size":3}',
      },
      {
        key: { resourceGroup: "demo", kind: "part", namespace: "fallback", name: "bare" },
        shardId: "default",
        labels: new Map(),
        annotations: new Map(),
        finalizers: [],
        specJson: "null",
      },
    ]);
  });

  it.each([
    ["12345678901234567890", "12345678901234567890"],
    ["1.10", "1.10"],
    ["1e308", "1e308"],
    ["-1.0E-400", "-1.0E-400"],
    [".5", "0.5"],
    ["-.5e3", "-0.5e3"],
    ["1.", "1"],
    ["+7", "7"],
    ["+12345678901234567890.10", "12345678901234567890.10"],
    ["0", "0"],
    ["-0.0", "-0.0"],
    ["0x10", "16"],
    ["0xFFFFFFFFFFFFFFFF", "18446744073709551615"],
    ["0o644", "420"],
    ["!!int 9007199254740993", "9007199254740993"],
    ["!!float 1", "1"],
    ["!!str 0644", '"0644"'],
    ["! 1.10", '"1.10"'],
    ['"0644"', '"0644"'],
    ['".inf"', '".inf"'],
    ["~", "null"],
    ["True", "true"],
    ["!!map {a: !!seq [!!bool true, !!null ]}", '{"a":[true,null]}'],
    ['"8080"', '"8080"'],
    ["yes", '"yes"'],
    ["2026-01-01", '"2026-01-01"'],
    ["&a [1, 2]", "[1,2]"],
    ["{1: a, -20: b}", '{"1":"a","-20":"b"}'],
    ["{a: , ? b}", '{"a":null,"b":null}'],
    ['{"__proto__": 1, constructor: 2}', '{"__proto__":1,"constructor":2}'],
    ['{"<<": {a: 1}}', '{"<<":{"a":1}}'],
    ["[&a {x: 1}, *a, &a 2, *a]", '[{"x":1},{"x":1},2,2]'],
    ["{&b k: 3, v: {*b : 2}}", '{"k":3,"v":{"k":2}}'],
  ])("takes the value %s as the JSON %s", (written, json) => {
    const { manifests } = parseManifests(`{group: g, kind: k, name: n, spec: ${written}}`, "a.yaml", "default");
    expect(manifests[0]?.draft.specJson).toBe(json);
  });

  const octal = "is octal to some readers of YAML and decimal to others; write";
  const quoteIt = "or quote it when it is text";
  it.each([
    ["!!set {x, y}", "!!set has no JSON form; write a list: [x, y]"],
    ["!!omap [a: 1]", "!!omap has no JSON form; write a mapping, or a list of mappings when their order matters"],
    ["!!pairs [a: 1]", "!!pairs has no JSON form; write a list of mappings"],
    ["!!binary aGk=", "!!binary has no JSON form; remove the tag, then the base64 text is a string"],
    ["!!timestamp 2026-01-01", "!!timestamp has no JSON form; write the time as a string, in quotes"],
    ["!custom v", "!custom has no JSON form; remove the tag"],
    ["!custom {a: 1}", "!custom has no JSON form; remove the tag"],
    ["!!int x", "the value does not fit the tag tag:yaml.org,2002:int; remove one of them"],
    ["{null: n}", "a key must be a string (got null); quote it"],
    ["{1.10: n}", "a key must be a string (got 1.10); quote it"],
    ["{true: n}", "a key must be a string (got true); quote it"],
    ["{0644: n}", "a key must be a string (got 0644); quote it"],
    ["{? [a] : n}", "a key must be a string, not a list or a mapping"],
    ['{"1": a, 1: b}', '"1" is given twice in one mapping; remove all but one'],
    ["0644", `0644 ${octal} 420 or 0o644 for the octal number, 644 for the decimal one, ${quoteIt}`],
    ["-0644", `-0644 ${octal} -420 for the octal number, -644 for the decimal one, ${quoteIt}`],
    ["007", `a number must not begin with 0 (got 007); write 7, ${quoteIt}`],
    ["0899", `a number must not begin with 0 (got 0899); write 899, ${quoteIt}`],
    ["01.5", `a number must not begin with 0 (got 01.5); write 1.5, ${quoteIt}`],
    [".inf", ".inf has no JSON form; write a number in decimal digits, or quote it when it is text"],
    ["-.INF", "-.INF has no JSON form; write a number in decimal digits, or quote it when it is text"],
    [".nan", ".nan has no JSON form; write a number in decimal digits, or quote it when it is text"],
    ["[1, 1e400]", "spec[1] must be within double range (got 1e400)"],
    ['"\\0"', "spec must not contain the NUL character (\\u0000); remove it"],
    ['{a: "\\ud800"}', "spec.a must be Unicode text: \\ud800 is half of a surrogate pair"],
    ["&a [*a]", "an alias must not be inside of what it stands for: JSON has no circles"],
    ["&a {b: {c: *a}}", "an alias must not be inside of what it stands for: JSON has no circles"],
    ["{a: &a {<<: *a}}", "<< must be a mapping, an alias of one, or a list of them"],
    ["{<<: 1}", "<< must be a mapping, an alias of one, or a list of them"],
    ["[*b]", "Unresolved alias *b: nothing before it has the anchor &b"],
    ["[".repeat(31) + "]".repeat(31), "a value must not be nested deeper than 30 levels"],
  ])("refuses the value %s, which has no JSON form, with its place and what to write", (written, problem) => {
    const { manifests, problems } = parseManifests(
      `group: g\nkind: k\nname: n\nspec: ${written}\n`,
      "a.yaml",
      "default",
    );
    expect(problems).toEqual([expect.stringContaining(problem)]);
    expect(problems[0]).toMatch(/^a\.yaml:4:\d+: /);
    expect(manifests).toEqual([]);
  });

  it("says all that is wrong with a value, each at its place", () => {
    const text = "group: g\nkind: k\nname: n\nspec:\n  mode: 0644\n  list:\n    - .nan\n    - {null: 1}\n  ok: 1\n";
    expect(parseManifests(text, "a.yaml", "default").problems.map((problem) => problem.split(" ")[0])).toEqual([
      "a.yaml:5:9:",
      "a.yaml:7:7:",
      "a.yaml:8:8:",
    ]);
  });

  it("refuses what YAML 1.1, asked for by a directive, has and JSON has not", () => {
    const spec = (written: string) =>
      parseManifests(`%YAML 1.1\n---\n{group: g, kind: k, name: one, spec: ${written}}`, "a.yaml", "default");
    expect(spec("yes").manifests[0]?.draft.specJson).toBe("true");
    for (const written of ["1_000", "0b11", "12:30:00", "2026-01-01", "0644"]) {
      expect(spec(written).problems, written).toHaveLength(1);
    }
  });

  it("writes out a merge: own keys win, then the first that is merged in", () => {
    const list = `- {group: g, kind: k, name: a, spec: &a {x: 1, y: 1}}
- {group: g, kind: k, name: b, spec: &b {y: 2, z: 2}}
- {group: g, kind: k, name: c, spec: {x: 0, <<: [*a, *b], w: 3}}`;
    expect(parseManifests(list, "a.yaml", "default").manifests[2]?.draft.specJson).toBe('{"x":0,"y":1,"z":2,"w":3}');
  });

  it("does not write out aliases of aliases beyond what a resource may be", () => {
    const levels = Array.from({ length: 25 }, (_, i) => `  a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}, *a${i}]`);
    const text = `group: g\nkind: k\nname: n\nspec:\n  a0: &a0 x\n${levels.join("\n")}\n`;
    expect(parseManifests(text, "a.yaml", "default").problems).toEqual([
      "a.yaml:5:3: a value must be at most 1048576 bytes with its aliases written out; keep large data elsewhere and refer to it",
    ]);
  });

  it("reads JSON documents one behind another, each with its own places", () => {
    const one = (name: string) => JSON.stringify({ group: "g", kind: "k", name, spec: { text: "} {" } });
    const { manifests, problems } = parseManifests(`${one("a")}\n${one("b")} ${one("c")}\n`, "a.json", "default");
    expect([manifests.map(({ draft }) => draft.key.name), problems]).toEqual([["a", "b", "c"], []]);
    expect(manifests[1]?.source.atField("kind")).toBe("a.json:2:21");
    const wrong = parseManifests(`${one("a")}\n\n{"group": "g",\n "kind": 5, "name": "b"}\n[]`, "a.json", "default");
    expect(wrong.problems).toEqual(["a.json:4:10: kind must be a string (got 5; quote it)"]);
    expect(parseManifests(`${one("a")}${one("b")},`, "a.json", "default").problems.length).toBeGreaterThan(0);
  });

  it.each([
    ["in front", "\ufeffgroup: g\nkind: k\nname: n\n"],
    ["in front of JSON", '\ufeff{"group": "g", "kind": "k", "name": "n"}'],
    ["in front of a document", "---\n\ufeffgroup: g\nkind: k\nname: n\n"],
    ["where two files were put together", "---\n# nothing\n\ufeff---\r\ngroup: g\nkind: k\nname: n\n"],
    ["between two JSON documents", '\ufeff[]\n\ufeff{"group": "g", "kind": "k", "name": "n"}'],
  ])("skips a byte order mark %s", (_, text) => {
    const { manifests, problems } = parseManifests(text, "a.yaml", "default");
    expect([manifests.map(({ draft }) => draft.key.name), problems]).toEqual([["n"], []]);
  });

  it("takes the keys of labels as it takes those of a spec", () => {
    const read = (labels: string) =>
      parseManifests(`{group: g, kind: k, name: n, labels: ${labels}}`, "a.yaml", "default");
    expect(read("{1: a, b: c}").manifests[0]?.draft.labels).toEqual(
      new Map([
        ["1", "a"],
        ["b", "c"],
      ]),
    );
    expect(read("{null: a}").problems).toEqual(["a.yaml:1:39: a key must be a string (got null); quote it"]);
    expect(read('{"1": a, 1: b}').problems).toEqual(['a.yaml:1:47: labels["1"] is given twice; remove all but one']);
    expect(read("{a: *b}").problems[0]).toContain("Unresolved alias *b");
  });

  it("follows aliases and merge keys in a spec", () => {
    const text = "group: g\nkind: k\nname: n\nspec:\n  base: &b {a: 1}\n  more: {<<: *b, c: 2}\n  same: *b\n";
    const [manifest] = parseManifests(text, "a.yaml", "default").manifests;
    expect(manifest?.draft.specJson).toBe('{"base":{"a":1},"more":{"a":1,"c":2},"same":{"a":1}}');
  });

  it("reads JSON, and lists of manifests as get -o json prints them", () => {
    const one = { group: "g", kind: "k", name: "n", spec: 1, status: { ok: true }, generation: 4 };
    const { manifests, problems } = parseManifests(JSON.stringify([one, { ...one, name: "m" }]), "a.json", "default");
    expect(problems).toEqual([]);
    expect(manifests.map(({ draft }) => draft.key.name)).toEqual(["n", "m"]);
  });

  it("passes over empty documents", () => {
    expect(parseManifests("---\n# nothing\n---\n", "a.yaml", "default")).toEqual({ manifests: [], problems: [] });
    expect(parseManifests("", "a.yaml", "default")).toEqual({ manifests: [], problems: [] });
  });

  it.each([
    ["group: g\nkind: k\n", "a.yaml:1:1: name is missing; a manifest must have it"],
    ["group: g\nkind: k\nname: 5\n", "a.yaml:3:7: name must be a string (got 5; quote it)"],
    ["group: g\nkind: k\nname: n\nlabels:\n  a: 1\n", 'a.yaml:5:6: labels["a"] must be a string (got 1; quote it)'],
    ["group: g\nkind: k\nname: n\nlabels: [a]\n", "a.yaml:4:9: labels must be a mapping of strings"],
    ["group: g\nkind: k\nname: n\nfinalizers: x\n", "a.yaml:4:13: finalizers must be a list of strings"],
    ["group: g\nkind: k\nname: n\nowner: {kind: t}\n", "a.yaml:4:8: owner.name is missing; a manifest must have it"],
    ["- 5\n", "a.yaml:1:3: a manifest must be a mapping with group,"],
    ["group: g\nspecs: 1\nkind: k\nname: n\n", "a.yaml:2:1: specs is no field of a manifest; the fields are group,"],
    ["group: g\nkind: k\nname: n\nname: m\n", "a.yaml:4:1: Map keys must be unique"],
    ["group: g\nkind: k\nname: n\nspec: [1\n", "a.yaml:5:1: Flow sequence"],
    ["group: g\nkind: k\nname: n\nspec: *b\n", "a.yaml:4:7: Unresolved alias"],
    ["group: g\nkind: k\nname: !x n\n", "a.yaml:3:7: !x has no JSON form; remove the tag"],
  ])("says where %j is wrong", (text, problem) => {
    const { manifests, problems } = parseManifests(text, "a.yaml", "default");
    expect(problems).toEqual([expect.stringContaining(problem)]);
    expect(manifests).toEqual([]);
  });

  it("leads from the server's word for a field to its place in the file", () => {
    const text = '---\ngroup: g\nkind: k\nname: n\n---\ngroup: g\nkind: k\nname: m\nshard: s\nlabels:\n  "a.b": x\n';
    const source = parseManifests(text, "a.yaml", "default").manifests[1]?.source;
    expect(source?.atField("resource_group")).toBe("a.yaml:6:8");
    expect(source?.atField("shard_id")).toBe("a.yaml:9:8");
    expect(source?.atField("labels")).toBe("a.yaml:11:3");
    expect(source?.atField("spec")).toBe("a.yaml:6:1");
    expect(source?.atField("")).toBe("a.yaml:6:1");
  });
});
