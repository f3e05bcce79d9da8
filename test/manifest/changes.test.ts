import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { ResourceSchema } from "../../gen/reconcile/v1/resource_pb.js";
import { readResource } from "../../src/client/client-resource.js";
import { describeChanges } from "../../src/manifest/changes.js";

function resource(fields: {
  spec?: unknown;
  status?: unknown;
  labels?: Record<string, string>;
  finalizers?: string[];
}) {
  const { spec = null, status = null, labels = {}, finalizers = [] } = fields;
  const json = { specJson: JSON.stringify(spec), statusJson: JSON.stringify(status) };
  return readResource(create(ResourceSchema, { key: KEY, labels, finalizers, ...json }));
}

const KEY = { resourceGroup: "g", kind: "k", namespace: "default", name: "n" };
const read = (specJson: string) => readResource(create(ResourceSchema, { key: KEY, specJson, statusJson: "null" }));

it("names each field that differs, with what it was and what it is", () => {
  const before = resource({ spec: { port: 8080, hosts: ["a"], gone: true }, labels: { tier: "web" } });
  const after = resource({
    spec: { port: 8090, hosts: ["a", "b"] },
    labels: { tier: "api" },
    finalizers: ["demo/hold"],
  });
  expect(describeChanges(before, after).toSorted()).toEqual([
    "finalizers.demo/hold: + held",
    "labels.tier: web → api",
    "spec.gone: - true",
    "spec.hosts[1]: + b",
    "spec.port: 8080 → 8090",
  ]);
});

it("tells of a condition what it says, not when or in which place of the list", () => {
  const ready = (status: string, lastTransitionTime: string) => ({
    type: "Ready",
    status,
    reason: "Up",
    lastTransitionTime,
  });
  const before = resource({ status: { conditions: [ready("False", "2026-01-01T00:00:00Z")] } });
  const after = resource({
    status: { conditions: [{ type: "Other", status: "True" }, ready("True", "2026-01-02T00:00:00Z")] },
  });
  expect(describeChanges(before, after).toSorted()).toEqual(["Other: + True", "Ready: False Up → True Up"]);
});

it("compares numbers exactly, and objects without an order", () => {
  const before = read('{"id":9007199254740993,"a":{"x":1,"y":2},"n":1.0}');
  const after = read('{"n":1,"a":{"y":2,"x":1},"id":9007199254740992}');
  expect(describeChanges(before, after)).toEqual(["spec.id: 9007199254740993 → 9007199254740992"]);
  expect(describeChanges(read('{"a":1,"a":2}'), read('{"a":2}'))).toEqual([]);
});

it("cuts what is long", () => {
  const [change = ""] = describeChanges(resource({ spec: "x" }), resource({ spec: "y".repeat(1_000) }));
  expect(change).toMatch(/^spec: x → y{59}…$/);
});
