import { describe, expect, it } from "vitest";
import { parseProcessSpec } from "../../../examples/process/spec.js";

const spec = { script: "static-server", args: ["a.html"], env: { GREETING: "hello" }, port: 8081 };

describe("process spec", () => {
  it("accepts a script, arguments, environment and port", () => {
    expect(parseProcessSpec(spec)).toEqual({ ...spec, env: new Map([["GREETING", "hello"]]) });
    expect(parseProcessSpec({ script: "static-server", port: 8081 })).toMatchObject({ args: [], env: new Map() });
  });

  const injecting = [
    "NODE_OPTIONS",
    "node_options",
    "NODE_PATH",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "DYLD_INSERT_LIBRARIES",
    "OPENSSL_CONF",
    "BASH_ENV",
    "PYTHONPATH",
    "PATH",
    "PORT",
    "STATIC_ROOT",
    "__proto__=x",
    "A B",
  ];
  for (const name of injecting) {
    it(`refuses the variable ${name}`, () => {
      expect(() => parseProcessSpec({ ...spec, env: { [name]: "x" } })).toThrow("spec.env");
    });
  }

  it.each([
    [null, "spec must be an object"],
    [{ ...spec, command: "sh" }, "spec.command is not known"],
    [{ ...spec, args: ["a", 7] }, "spec.args[1]"],
    [{ ...spec, args: "a" }, "spec.args"],
    [{ ...spec, env: { A: "x\0y" } }, "spec.env.A"],
    [{ ...spec, port: 80 }, "spec.port"],
    [{ ...spec, port: "8081" }, "spec.port"],
    [{ port: 8081 }, "spec.script"],
  ])("refuses %j", (wrong, words) => {
    expect(() => parseProcessSpec(wrong)).toThrow(words);
  });
});
