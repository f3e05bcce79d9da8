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
  const key = { resourceGroup: "g", kind: "k", namespace: "default", name: "n" };
  const json = { specJson: JSON.stringify(spec), statusJson: JSON.stringify(status) };
  return readResource(create(ResourceSchema, { key, labels, finalizers, ...json }));
}

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

it("cuts what is long", () => {
  const [change = ""] = describeChanges(resource({ spec: "x" }), resource({ spec: "y".repeat(1_000) }));
  expect(change).toMatch(/^spec: x → y{59}…$/);
});
