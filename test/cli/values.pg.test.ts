/** One definition of a value: what files declare arrives exactly or is refused with its place, and what older servers stored is shown. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createResourceClient, type ResourceClient } from "../../src/client/index.js";
import { runDirectory } from "../support/run-directory.js";
import { startServer, type TestServer } from "../support/server.js";
import { until } from "../support/until.js";
import { file, reconcile, start } from "./reconcile.js";

let server: TestServer;
let client: ResourceClient;
beforeAll(async () => {
  server = await startServer();
  client = createResourceClient(server.url);
});
afterAll(async () => {
  client.close();
  await server.stop();
});

const key = (kind: string, name: string) => ({ resourceGroup: "demo", kind, namespace: "default", name });
const run = (...args: string[]) => reconcile(args, { env: { RECONCILE_SERVER: server.url } });

function bytes(content: Buffer): string {
  const path = join(mkdtempSync(join(runDirectory(), "cli-")), "manifest.yaml");
  writeFileSync(path, content);
  return path;
}

/** Opens the editor, which runs `script` on the file. */
function edit(script: string, ...args: string[]) {
  return reconcile(["edit", ...args], { env: { RECONCILE_SERVER: server.url, VISUAL: script } });
}

describe("a resource with one key twice, of an older server", () => {
  const old = '{"a":1,"b":{"c":1,"c":[2]},"a":3}';
  beforeAll(async () => {
    for (const name of ["first", "old", "last"]) await client.create({ key: key("aged", name), spec: { a: 0 } });
    const sql = new pg.Client({ connectionString: server.databaseUrl });
    await sql.connect();
    await sql.query("UPDATE resources SET spec = $1, status = $1 WHERE name = 'old'", [old]);
    await sql.query("UPDATE events SET spec = $1, status = $1 WHERE name = 'old'", [old]);
    await sql.end();
  });

  it("ends no list: the last of equal keys is shown", async () => {
    const listed = await run("get", "aged", "-o", "json");
    expect(listed).toMatchObject({ code: 0, err: "" });
    const documents = JSON.parse(listed.out) as { name: string; spec: object; status: object }[];
    expect(documents.map(({ name }) => name)).toEqual(["first", "old", "last"]);
    expect([documents[1]?.spec, documents[1]?.status]).toEqual([
      { a: 3, b: { c: [2] } },
      { a: 3, b: { c: [2] } },
    ]);
    for (const args of [
      ["get", "aged", "-o", "yaml"],
      ["get", "aged", "-o", "wide"],
      ["describe", "aged/old"],
      ["history", "aged/old"],
      ["history", "aged/old", "--diff"],
    ]) {
      expect(await run(...args), args.join(" ")).toMatchObject({ code: 0, err: "" });
    }
  });

  it("ends no watch", async () => {
    const watch = start(["get", "aged", "-w", "-o", "json"], { env: { RECONCILE_SERVER: server.url } });
    await until(() => watch.out().split("\n").length > 3, { what: "three lines" });
    watch.interrupt();
    expect((await watch.ended).err).toBe("");
  });

  it("is named by doctor", async () => {
    expect((await run("doctor")).out).toMatch(
      /note +an upgrade would refuse 1 of the \d+ resources .* for a key that is given twice in one object: .*aged\/old in default: spec\.b\.c is there twice/,
    );
  });

  it("can be compared, edited, and applied as it is shown, which replaces it", async () => {
    expect(await edit("true", "aged/old")).toMatchObject({ code: 0, out: "aged/old unchanged\n" });
    const shown = await run("get", "aged/old", "-o", "yaml");
    expect(await run("diff", "-f", file(shown.out))).toMatchObject({ err: "" });
    expect(await run("apply", "-f", file(shown.out), "--dry-run")).toMatchObject({ code: 0, err: "" });
    expect(await run("apply", "-f", file(shown.out))).toEqual({ code: 0, out: "aged/old configured\n", err: "" });
    expect((await client.get(key("aged", "old")))?.specJson).toBe('{"a":3,"b":{"c":[2]}}');
  });
});

describe("the order of keys", () => {
  it("is no change: not to apply, not to diff, not to edit", async () => {
    const specJson = '{"html":"x","port":80,"deep":{"a":1,"b":[{"c":1,"d":2}]}}';
    const { generation, writeCount } = await client.create({ key: key("order", "a"), specJson });
    const reordered = "deep: {b: [{d: 2.0, c: 1}], a: 1}, port: 8e1, html: x";
    const path = file(`{group: demo, kind: order, name: a, spec: {${reordered}}}`);
    expect(await run("diff", "-f", path)).toEqual({ code: 0, out: "", err: "" });
    expect(await run("apply", "-f", path)).toEqual({ code: 0, out: "order/a unchanged\n", err: "" });
    const swap = `sed -i 's/^  html: x$//; s/^  port: 80$/  port: 80\\n  html: x/'`;
    expect(await edit(swap, "order/a")).toMatchObject({ code: 0, out: "order/a unchanged\n" });
    expect(await client.get(key("order", "a"))).toMatchObject({ generation, writeCount, specJson });
  });

  it("is not in a diff of something else", async () => {
    await client.create({ key: key("order", "b"), specJson: '{"a":1,"b":{"x":1,"y":2},"c":3}' });
    const path = file("{group: demo, kind: order, name: b, spec: {c: 3, b: {y: 5, x: 1}, a: 1}}");
    const { code, out } = await run("diff", "-f", path);
    expect([code, out.split("\n").filter((line) => /^[-+] /.test(line))]).toEqual([1, ["-    y: 2", "+    y: 5"]]);
  });
});

describe("a file", () => {
  it("that is no UTF-8, or has what JSON has not, is refused with its place, and nothing is sent", async () => {
    const latin = bytes(Buffer.from("group: demo\nkind: text\nname: latin\nspec: caf\xe9\n", "latin1"));
    const set = file("group: demo\nkind: text\nname: set\nspec: !!set {x}\n");
    const ring = file("group: demo\nkind: text\nname: ring\nspec: &a [*a]\n");
    expect(await run("apply", "-f", latin, "-f", set, "-f", ring)).toEqual({
      code: 2,
      out: "",
      err: expect.stringMatching(
        /^.*:4:10: must be UTF-8 text \(got the byte 0xe9\); save it as UTF-8\n.*:4:\d+: !!set has no JSON form; write a list: \[x, y\]\n.*:4:\d+: an alias must not be inside of what it stands for: JSON has no circles\nerror: nothing was sent; correct the files first\n$/,
      ),
    });
    expect(await client.get(key("text", "set"))).toBeUndefined();
  });

  it("with a byte order mark and JSON documents one behind another is applied", async () => {
    const one = (name: string) => JSON.stringify({ group: "demo", kind: "stream", name, spec: { 1: "x" } });
    const path = file(`\ufeff${one("a")}\n${one("b")}\n`, "stream.json");
    expect(await run("apply", "-f", path)).toEqual({ code: 0, out: "stream/a created\nstream/b created\n", err: "" });
  });
});
