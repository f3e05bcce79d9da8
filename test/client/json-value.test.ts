import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { ApiError } from "../../src/client/api-error.js";
import { createResourceClient } from "../../src/client/index.js";
import { jsonText } from "../../src/client/json-value.js";

class Point {
  x = 1;
}
const ring: { list: unknown[] } = { list: [] };
ring.list.push({ ring });
const shared = { a: 1 };
const nested = (depth: number): unknown => (depth === 0 ? 0 : [nested(depth - 1)]);

describe("jsonText", () => {
  it.each<[unknown, string]>([
    [null, "null"],
    ["é\n", '"é\\n"'],
    [-0.5, "-0.5"],
    [{ a: [1, { b: true }], "c d": "x" }, '{"a":[1,{"b":true}],"c d":"x"}'],
    [{ a: undefined, b: 1 }, '{"b":1}'],
    [Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    [runInNewContext("({ a: [1] })"), '{"a":[1]}'],
    [[shared, shared], '[{"a":1},{"a":1}]'],
    [JSON.parse('{"__proto__":{"a":1}}'), '{"__proto__":{"a":1}}'],
    [nested(30), `${"[".repeat(30)}0${"]".repeat(30)}`],
  ])("writes %j", (value, text) => expect(jsonText("spec", value)).toBe(text));

  it.each<[string, unknown, string]>([
    [
      "a Map",
      { m: new Map([[1, 2]]) },
      "status.m must be a plain object (got an instance of Map); write Object.fromEntries(map)",
    ],
    ["a Set", { a: [new Set()] }, "status.a[0] must be a plain object (got an instance of Set); write [...set]"],
    [
      "a Date",
      { at: new Date(0) },
      "status.at must be a plain object (got an instance of Date); write date.toISOString()",
    ],
    [
      "bytes",
      [Buffer.from("x")],
      'status[0] must be a plain object (got an instance of Buffer); write buffer.toString("base64")',
    ],
    [
      "an Error",
      { e: new Error("x") },
      "status.e must be a plain object (got an instance of Error); write error.message",
    ],
    [
      "an instance",
      { p: new Point() },
      "status.p must be a plain object (got an instance of Point); write { ...value }",
    ],
    ["NaN", { "a b": { load: Number.NaN } }, 'status["a b"].load must be a finite number (got NaN); JSON has no other'],
    ["Infinity", [1, -Infinity], "status[1] must be a finite number (got -Infinity)"],
    ["a bigint", { id: 5n }, "status.id must not be a bigint (got 5n); write a number, or a string of its digits"],
    ["undefined", undefined, "status must be a JSON value (got undefined); write null, or leave it out"],
    ["undefined in a list", { a: [1, undefined] }, "status.a[1] must be a JSON value (got undefined)"],
    ["a hole in a list", { a: Array(2) }, "status.a[0] must be a JSON value (got undefined)"],
    ["a function", { toJSON: () => 1 }, "status.toJSON must be a JSON value (got a function)"],
    ["a symbol", { s: Symbol("x") }, "status.s must be a JSON value (got a symbol)"],
    ["a cycle", ring, "status.list[0].ring must not contain itself; write what identifies it instead"],
    ["deep nesting", nested(31), `status${"[0]".repeat(30)} must not be nested deeper than 30 levels`],
  ])("refuses %s with its path", (_, value, message) => {
    const check = () => jsonText("status", value);
    expect(check).toThrow(ApiError);
    expect(check).toThrow(message);
  });
});

it("a client sends nothing of a spec or status that is no JSON value", async () => {
  const client = createResourceClient("http://127.0.0.1:9"); // never asked
  const key = { resourceGroup: "g", kind: "k", namespace: "n", name: "a" };
  const refusal = { code: "INVALID_ARGUMENT", reason: "INVALID_FIELD", field: "spec.m" };
  await expect(client.apply({ key, spec: { m: new Map() } })).rejects.toMatchObject(refusal);
  await expect(client.create({ key, spec: { m: Number.NaN } })).rejects.toMatchObject(refusal);
  await expect(client.updateStatus(key, { m: [undefined] })).rejects.toMatchObject({ field: "status.m[0]" });
  client.close();
});
