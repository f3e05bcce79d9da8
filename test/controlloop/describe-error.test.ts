import { describe, expect, test } from "vitest";
import { describeError } from "../../src/controlloop/describe-error.js";

describe("what an error report says of what was thrown", () => {
  const circular: { self?: unknown } = {};
  circular.self = circular;
  test.each<[string, unknown, string | RegExp]>([
    ["an object", { a: 1 }, "{ a: 1 } was thrown"],
    ["a nested object", { code: 7, where: { line: [1, 2] } }, "{ code: 7, where: { line: [ 1, 2 ] } } was thrown"],
    ["an object that holds itself", circular, /^<ref \*1> \{ self: \[Circular \*1\] \} was thrown$/],
    ["a string", "no disk", "no disk"],
    ["an empty string", "", "'' was thrown"],
    ["undefined", undefined, "undefined was thrown"],
    ["null", null, "null was thrown"],
    ["a number", 42, "42 was thrown"],
    ["a symbol", Symbol("x"), "Symbol(x) was thrown"],
    ["a function", function notCalled() {}, "[Function: notCalled] was thrown"],
    ["an error", new Error("no disk"), "no disk"],
    ["an error without text", new TypeError(), "TypeError"],
    ["what looks like an error", { message: "no disk", code: 5 }, "no disk"],
    [
      "an error with a cause",
      new Error("fetch failed", { cause: new Error("connect ECONNREFUSED 127.0.0.1:1") }),
      "fetch failed: connect ECONNREFUSED 127.0.0.1:1",
    ],
    ["a cause that is no error", new Error("refused", { cause: { code: 7 } }), "refused: { code: 7 } was thrown"],
    [
      "an error that quotes its cause",
      new Error("not saved: no disk", { cause: new Error("no disk") }),
      "not saved: no disk",
    ],
    [
      "several errors",
      new AggregateError([new Error("a"), "b"], "All promises were rejected"),
      "All promises were rejected: a; b",
    ],
    ["several errors without a text of their own", new AggregateError([new Error("a")]), "AggregateError: a"],
    [
      "very many errors",
      new AggregateError(
        Array.from({ length: 100 }, (_, i) => new Error(`e${i}`)),
        "all",
      ),
      "all: e0; e1; e2; e3; e4; and 95 more",
    ],
  ])("%s", (_, thrown, text) => {
    if (typeof text === "string") expect(describeError(thrown)).toBe(text);
    else expect(describeError(thrown)).toMatch(text);
  });

  test("is bounded, whatever the causes and sizes", () => {
    const loop = new Error("round");
    loop.cause = loop;
    expect(describeError(loop)).toBe("round");
    let deep = new Error("e0");
    for (let i = 1; i < 1_000; i++) deep = new Error(`e${i};`, { cause: deep });
    expect(describeError(deep)).toBe("e999;: e998;: e997;: e996;: e995;: e994;");
    expect(describeError({ big: "x".repeat(1_000_000) }).length).toBeLessThanOrEqual(4_096);
    const hostile = new Proxy(
      {},
      {
        has: () => {
          throw new Error("no");
        },
      },
    );
    expect(describeError(hostile)).toBe("a thrown value that has no text");
  });
});
