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
    ["1e400", "1e400"],
    [".5", "0.5"],
    ["+7", "7"],
    ["007", "7"],
    ["0x10", "16"],
    ['"8080"', '"8080"'],
    [".inf", '".inf"'],
    ["yes", '"yes"'],
    ["2026-01-01", '"2026-01-01"'],
    ["&a [1, 2]", "[1,2]"],
  ])("takes the value %s as the JSON %s", (written, json) => {
    const { manifests } = parseManifests(`{group: g, kind: k, name: n, spec: ${written}}`, "a.yaml", "default");
    expect(manifests.map(({ draft }) => draft.specJson)).toEqual([json]);
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
