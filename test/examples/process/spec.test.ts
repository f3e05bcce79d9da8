import { describe, expect, it } from "vitest";
import { allowedScripts, parseProcessSpec } from "../../../examples/process/spec.js";

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

describe("allowed scripts", () => {
  it("is the bundled static server unless the operator lists more", () => {
    expect([...allowedScripts("/bundled.js", undefined)]).toEqual([["static-server", "/bundled.js"]]);
    expect(allowedScripts("/bundled.js", " /srv/a.mjs , /srv/b.js").get("/srv/a.mjs")).toBe("/srv/a.mjs");
  });

  it.each(["a.js", "--eval=1", "-e", "/bin/sh", "../x.js"])("refuses to allow %s", (path) => {
    expect(() => allowedScripts("/bundled.js", path)).toThrow("EXAMPLES_PROCESS_ALLOW");
  });
});
