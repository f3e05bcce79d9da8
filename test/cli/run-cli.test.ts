import { mkdtempSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { VERBS } from "../../src/cli/verbs.js";
import { freePort } from "../../src/shared/free-port.js";
import { runDirectory } from "../support/run-directory.js";
import { completions, file, reconcile } from "./reconcile.js";

describe("reconcile without a server", () => {
  it("shows every verb in its help and in the manual, and has help for each", async () => {
    const { code, out } = await reconcile(["--help"]);
    const manual = readFileSync("docs/cli.md", "utf8");
    expect(code).toBe(0);
    for (const name of VERBS.keys()) {
      expect(out).toContain(`  ${name} `);
      const help = await reconcile([name, "--help"]);
      expect(help).toMatchObject({ code: 0, err: "" });
      expect(help.out).toContain(`Usage: reconcile ${name} `);
      expect(manual).toMatch(new RegExp(`(reconcile |\`)${name}\\b`));
    }
  });

  it.each<[string[], string]>([
    [["aply"], "unknown command 'aply'\n(Did you mean apply?)"],
    [["get", "website", "--selektor", "x"], "unknown option '--selektor'\n(Did you mean --selector?)"],
    [["get", "website", "-o", "xml"], "Allowed choices are table, wide, json, yaml, name."],
    [["apply"], "required option '-f, --filename <path...>' not specified"],
    [["get"], "name a kind, or everything with -A"],
    [["describe", "website"], "name the website too: website NAME, or website/NAME"],
    [["describe", "website/"], '"website/" must be KIND/NAME'],
    [["wait", "website/a", "--for", "lunch"], "It must be ready, deleted, condition=TYPE"],
    [["wait", "website/a", "--timeout", "soon"], "It must be a duration such as 30s, 5m or 1h, at most 24d."],
    [["wait", "website/a", "--timeout", "25d"], "at most 24d"],
    [["history", "website/a", "--limit", "0"], "It must be a whole number from 1 to 10,000."],
    [["get", "x", "--server", "ftp://x"], "the server must be an address such as http://127.0.0.1:8080 (got ftp://x)"],
    [["get", "x", "--server", "http://h/?a=b"], "the server's address must not have a query in it; write http://h"],
    [["help", "aply"], "unknown command 'aply'"],
    [["edit", "website/a"], "edit needs a terminal, or VISUAL or EDITOR"],
    [["get", "x", "--context", "nope"], "there is no context nope (known: none)"],
  ])("says of %j what is wrong with it", async (args, words) => {
    const { code, err, out } = await reconcile(args);
    expect(err).toContain(words);
    expect(err).not.toContain("    at ");
    expect({ code, out }).toEqual({ code: 2, out: "" });
  });

  it("tells all that is wrong with a file, with its places, before it asks for a server", async () => {
    const path = file("group: g\nkind: k\nname: 5\n---\ngroup: g\nkinds: k\nname: n\n");
    const { code, err } = await reconcile(["apply", "-f", path]);
    expect({ code, lines: err.split("\n") }).toEqual({
      code: 2,
      lines: [
        `${path}:3:7: name must be a string (got 5; quote it)`,
        `${path}:5:1: kind is missing; a manifest must have it`,
        expect.stringContaining(`${path}:6:1: kinds is no field of a manifest`),
        "error: nothing was sent; correct the files first",
        "",
      ],
    });
  });

  it.each<[string, string, string]>([
    ["", "there is no manifest in it", "empty.yaml"],
    [
      "{group: g, kind: k, name: n}\n---\n{group: g, kind: k, name: n}",
      ":3:1: k/n is declared already at ",
      "twice.yaml",
    ],
  ])("refuses the manifests %j", async (text, words, name) => {
    const { code, err } = await reconcile(["diff", "-f", file(text, name)]);
    expect(err).toContain(words);
    expect(code).toBe(2);
  });

  it("names a file that is not there", async () => {
    const { code, err } = await reconcile(["apply", "-f", "/nonexistent.yaml"]);
    expect({ code, err }).toEqual({ code: 2, err: "error: /nonexistent.yaml: there is no such file or directory\n" });
  });

  it("says at once that no server answers, and what to do", async () => {
    const server = `http://127.0.0.1:${await freePort()}`;
    const { code, err } = await reconcile(["get", "website", "--server", server]);
    expect(err).toContain(`error: no server answers at ${server} (ECONNREFUSED); start one with "reconcile dev"`);
    expect(code).toBe(3);
    expect(await reconcile(["version", "--server", server])).toMatchObject({ code: 0 });
  });

  it("says within seconds, wherever the address stands, that something else answers there, and exits with 3", async () => {
    const other = createServer((_, response) => response.end("hello"));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void other.close());
    const server = `http://127.0.0.1:${(other.address() as AddressInfo).port}`; // a TCP port was asked for
    const env = { RECONCILE_CONFIG: join(mkdtempSync(join(runDirectory(), "cli-")), "config.json") };
    await reconcile(["config", "set-context", "other", "--server", server], { env });
    for (const ended of [
      await reconcile(["get", "x", "--server", server]),
      await reconcile(["kinds"], { env: { RECONCILE_SERVER: server } }),
      await reconcile(["get", "-A", "-w"], { env }),
    ]) {
      expect(ended).toEqual({
        code: 3,
        out: "",
        err: `error: ${server} is another program than the state-manager (it answers HTTP 200 "hello"): name the state-manager's address\n`,
      });
    }
  });

  it("completes verbs, options and their values", async () => {
    expect(await completions(["desc"])).toContain("describe");
    expect(await completions(["get", "--sel"])).toContain("--selector");
    expect(await completions(["get", "-o", ""])).toEqual(
      expect.arrayContaining(["table", "wide", "json", "yaml", "name"]),
    );
    expect(await completions(["config", "use"])).toContain("use-context");
    const path = file("", "one.yaml");
    expect(await completions(["apply", "-f", path.slice(0, -3)])).toEqual([path]);
    expect(await completions(["get", "x"], { env: { RECONCILE_SERVER: "http://127.0.0.1:1" } })).toEqual([]);
  });
});

describe("reconcile config", () => {
  it("keeps contexts in a file that only its owner may read, and uses the first at once", async () => {
    const env = { XDG_CONFIG_HOME: mkdtempSync(join(runDirectory(), "xdg-")), RECONCILE_CONFIG: "" };
    const config = (...args: string[]) => reconcile(["config", ...args], { env });
    expect(await config("set-context", "a")).toMatchObject({
      code: 2,
      err: "error: a new context needs its --server\n",
    });
    await config("set-context", "a", "--server", "http://127.0.0.1:1/", "-n", "shop");
    await config("set-context", "b", "--server", "http://127.0.0.1:2", "-g", "demo");
    await config("set-context", "a", "-g", "examples");
    expect((await config("get-contexts")).out).toBe(
      [
        "USED   NAME   SERVER               NAMESPACE   GROUP",
        "*      a      http://127.0.0.1:1   shop        examples",
        "       b      http://127.0.0.1:2   -           demo",
        "",
      ].join("\n"),
    );
    expect(statSync(join(env.XDG_CONFIG_HOME, "reconcile", "config.json")).mode & 0o777).toBe(0o600);

    expect((await reconcile(["get", "x"], { env })).err).toContain("no server answers at http://127.0.0.1:1 ");
    await config("use-context", "b");
    expect((await reconcile(["get", "x"], { env })).err).toContain("no server answers at http://127.0.0.1:2 ");
    const named = { ...env, RECONCILE_SERVER: "http://127.0.0.1:3" };
    expect((await reconcile(["get", "x"], { env: named })).err).toContain("no server answers at http://127.0.0.1:3 ");
    expect((await reconcile(["get", "x", "--context", "a"], { env: named })).err).toContain("127.0.0.1:1 ");
    await config("delete-context", "b");
    expect(await config("use-context", "b")).toMatchObject({
      code: 2,
      err: "error: there is no context b (known: a)\n",
    });
  });

  it("keeps a context of any name", async () => {
    const env = { RECONCILE_CONFIG: join(mkdtempSync(join(runDirectory(), "cli-")), "config.json") };
    const config = (...args: string[]) => reconcile(["config", ...args], { env });
    for (const name of ["__proto__", "constructor", "toString"]) {
      expect(await config("use-context", name)).toMatchObject({ code: 2 });
      expect(await config("set-context", name)).toMatchObject({ code: 2 });
      expect((await reconcile(["get", "x", "--context", name], { env })).err).toContain(`there is no context ${name}`);
      expect(await config("set-context", name, "--server", "http://127.0.0.1:1")).toMatchObject({
        code: 0,
        out: `context ${name} created\n`,
      });
      expect((await reconcile(["get", "x", "--context", name], { env })).err).toContain("127.0.0.1:1 (ECONNREFUSED)");
    }
    expect((await config("get-contexts")).out).toContain("*      __proto__ ");
    await config("delete-context", "__proto__");
    expect((await config("get-contexts")).out).not.toContain("__proto__");
  });

  it("names the file that it cannot write", async () => {
    const env = { RECONCILE_CONFIG: join(file("", "no-directory"), "config.json") };
    const { code, err } = await reconcile(["config", "set-context", "a", "--server", "http://h"], { env });
    expect(err).toMatch(/^error: .*no-directory.* \(ENOTDIR\)|^error: .*no-directory.*ENOTDIR/);
    expect(code).toBe(2);
  });

  it("does not guess what a damaged file means", async () => {
    const env = { RECONCILE_CONFIG: file("{", "config.json") };
    const { code, err } = await reconcile(["get", "x"], { env });
    expect(err).toContain(`${env.RECONCILE_CONFIG}: must be what "reconcile config" writes`);
    expect(code).toBe(2);
  });
});
