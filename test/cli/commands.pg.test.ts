import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createResourceClient, type ResourceClient } from "../../src/client/index.js";
import { freePort } from "../../src/shared/free-port.js";
import { createDatabase } from "../support/postgres.js";
import { startServer, type TestServer } from "../support/server.js";
import { until } from "../support/until.js";
import { completions, file, reconcile, start } from "./reconcile.js";

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

/** Runs a command line against the server. */
function run(...args: string[]) {
  return reconcile(args, { env: { RECONCILE_SERVER: server.url } });
}

function key(kind: string, name: string) {
  return { resourceGroup: "demo", kind, namespace: "default", name };
}

function manifest(kind: string, name: string, rest = "spec: {size: 1}"): string {
  return `---\ngroup: demo\nkind: ${kind}\nname: ${name}\n${rest}\n`;
}

/** Says of a resource what a reconciler would. */
async function report(kind: string, name: string, status: "True" | "False"): Promise<void> {
  const { generation = 0n } = (await client.get(key(kind, name))) ?? {};
  const conditions = [{ type: "Ready", status, reason: "Told", message: "by the test" }];
  await client.updateStatus(key(kind, name), { conditions }, { observedGeneration: generation });
}

describe("reconcile apply", () => {
  it("creates, changes, leaves alone, and says so in the order of the file", async () => {
    const path = file(manifest("box", "b") + manifest("box", "a"));
    expect(await run("apply", "-f", path)).toEqual({ code: 0, out: "box/b created\nbox/a created\n", err: "" });
    const changed = manifest("box", "b") + manifest("box", "a", "spec: {size: 2}");
    const again = await reconcile(["apply", "-f", "-"], { env: { RECONCILE_SERVER: server.url }, stdin: changed });
    expect(again).toEqual({ code: 0, out: "box/b unchanged\nbox/a configured\n", err: "" });
  });

  it("goes on after a document that the server refuses, and tells its place", async () => {
    const path = file(manifest("box", "good") + manifest("box", "bad", 'labels: {"a=b": x}') + manifest("box", "fine"));
    expect(await run("apply", "-f", path)).toEqual({
      code: 1,
      out: "box/good created\nbox/fine created\n",
      err: `${path}:10:17: box/bad: labels["a=b"] must not have "=" in its key; rename it\nerror: 1 of 3 failed\n`,
    });
  });

  it("shows what would move a cursor instead of obeying it", async () => {
    const { out } = await run("apply", "-f", file(manifest("trap", '"a\\u001b[2J\\u009b\\u202e"')));
    expect(out).toBe("trap/a\\u001b[2J\\u009b\\u202e created\n");
    const name = "a\u001b[2J\u009b\u202e";
    for (const args of [
      ["get", "trap"],
      ["get", "trap", "-o", "yaml"],
      ["get", "trap", "-o", "json"],
      ["describe", "trap", name],
    ]) {
      expect((await run(...args)).out).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    }
    expect(JSON.parse((await run("get", "trap", name, "-o", "json")).out).name).toBe(name);
    const again = await run("apply", "-f", file((await run("get", "trap", name, "-o", "yaml")).out));
    expect(again.out).toBe("trap/a\\u001b[2J\\u009b\\u202e unchanged\n");
  });

  it("applies an owner before what belongs to it, wherever they stand", async () => {
    const path = file(manifest("leg", "l", "owner: {kind: table, name: t}") + manifest("table", "t"));
    const dry = await run("apply", "-f", path, "--dry-run");
    expect(dry.out.match(/^\w+\/\w created \(dry run\)$/gm)).toEqual([
      "leg/l created (dry run)",
      "table/t created (dry run)",
    ]);
    expect(await run("apply", "-f", path)).toEqual({ code: 0, out: "leg/l created\ntable/t created\n", err: "" });
    expect((await client.get(key("leg", "l")))?.owner).toMatchObject({ kind: "table", name: "t" });
  });

  it("refuses owners in a circle", async () => {
    const circle =
      manifest("ring", "a", "owner: {kind: ring, name: b}") + manifest("ring", "b", "owner: {kind: ring, name: a}");
    const path = file(circle);
    const { code, err } = await run("apply", "-f", path);
    expect(err).toMatch(/:5:8: owner leads back .*\n.*:10:8: owner leads back .*\nerror: nothing was sent/);
    expect(code).toBe(2);
  });

  it("shows with --dry-run what would change, and changes nothing", async () => {
    await run("apply", "-f", file(manifest("plan", "p", "spec: {size: 12345678901234567890, ratio: 1.10}")));
    const before = await client.get(key("plan", "p"));
    const path = file(manifest("plan", "p", "spec: {size: 12345678901234567891, ratio: 1.10}"));
    const { code, out } = await run("apply", "-f", path, "--dry-run");
    expect(code).toBe(0);
    expect(out).toContain("-  size: 12345678901234567890\n+  size: 12345678901234567891\n   ratio: 1.10\n");
    expect(out).toMatch(/\nplan\/p configured \(dry run\)\n$/);
    expect((await client.get(key("plan", "p")))?.revision).toBe(before?.revision);
  });

  it("prunes what the selector matches in the kinds of the files and they do not have", async () => {
    const labelled = (name: string, app: string) => manifest("shelf", name, `labels: {app: ${app}}`);
    await run("apply", "-f", file(labelled("keep", "shop") + labelled("drop", "shop") + labelled("other", "blog")));
    const path = file(labelled("keep", "shop"));
    const prune = ["apply", "-f", path, "--prune", "-l", "app in (shop)"];
    expect((await run(...prune, "--dry-run")).out).toBe(
      "shelf/keep unchanged (dry run)\nshelf/drop pruned (dry run)\n",
    );
    expect((await run(...prune)).out).toBe("shelf/keep unchanged\nshelf/drop pruned\n");
    expect((await run("get", "shelf", "-o", "name")).out).toBe("shelf.demo/keep\nshelf.demo/other\n");
    expect(await run("apply", "-f", path, "--prune")).toMatchObject({ code: 2 });
  });

  it("waits until all is ready, and tells what is not in time", async () => {
    const path = file(manifest("lamp", "on") + manifest("lamp", "off"));
    const waiting = start(["apply", "-f", path, "--wait"], { env: { RECONCILE_SERVER: server.url } });
    await until(() => waiting.out().includes("lamp/off created"));
    await report("lamp", "off", "True");
    await report("lamp", "on", "True");
    expect(await waiting.ended).toMatchObject({
      code: 0,
      out: expect.stringContaining("lamp/on is ready\nlamp/off is ready\n"),
    });

    await report("lamp", "off", "False");
    const late = await run("apply", "-f", path, "--wait", "--timeout", "1s");
    expect(late.err).toContain(":7:1: lamp/off is not ready in time: Ready is False: by the test\n");
    expect(late.code).toBe(4);
  });

  it("applies 1,000 documents in seconds", async () => {
    const path = file(Array.from({ length: 1_000 }, (_, i) => manifest("many", `m${i}`)).join(""));
    const before = performance.now();
    const { code, out } = await run("apply", "-f", path);
    const seconds = (performance.now() - before) / 1_000;
    expect({ code, lines: out.trim().split("\n").length }).toEqual({ code: 0, lines: 1_000 });
    expect(seconds).toBeLessThan(20); // 2 to 4 on two cores that have nothing else to do
  });
});

describe("reconcile diff", () => {
  it("ends as diff(1): 0 same, 1 different, 2 trouble", async () => {
    await run("apply", "-f", file(manifest("cup", "c")));
    expect(await run("diff", "-f", file(manifest("cup", "c")))).toEqual({ code: 0, out: "", err: "" });
    const path = file(manifest("cup", "c", "spec: {size: 2}"));
    const { code, out } = await run("diff", "-f", path);
    expect(code).toBe(1);
    expect(out).toBe(
      `--- cup/c as stored\n+++ cup/c of ${path}:2:1\n@@ -3,4 +3,4 @@\n namespace: default\n name: c\n spec:\n-  size: 1\n+  size: 2\n`,
    );
    expect(await run("diff", "-f", file(manifest("cup", "c", "labels: {'=': x}")))).toMatchObject({ code: 2 });
  });
});

describe("reconcile get", () => {
  it("prints tables, names, JSON and YAML that apply reads again", async () => {
    await run(
      "apply",
      "-f",
      file(manifest("pen", "p1", "labels: {ink: blue}\nspec: {n: 1.0, big: 9007199254740993}") + manifest("pen", "p2")),
    );
    await report("pen", "p1", "True");
    expect((await run("get", "pen")).out.replace(/\d+m?s$/gm, "1s")).toBe(
      [
        "NAME   READY   REASON   OBSERVED   AGE",
        "p1     True    Told     1/1        1s",
        "p2     -       -        0/1        1s",
        "",
      ].join("\n"),
    );
    expect((await run("get", "pen", "-l", "ink in (blue)", "-o", "name")).out).toBe("pen.demo/p1\n");
    expect((await run("get", "pen", "--pending", "-o", "name")).out).toBe("pen.demo/p2\n");
    for (const format of ["json", "yaml"]) {
      const { out } = await run("get", "pen", "-o", format);
      expect(out).toContain("9007199254740993");
      const applied = await run("apply", "-f", file(out));
      expect(applied).toEqual({ code: 0, out: "pen/p1 unchanged\npen/p2 unchanged\n", err: "" });
    }
    expect(JSON.parse((await run("get", "pen/p1", "-o", "json")).out)).toMatchObject({ name: "p1", generation: 1 });
  });

  it("tells apart a resource that is not there, a kind that has none, and a kind nobody knows", async () => {
    expect(await run("get", "box/nope")).toEqual({
      code: 1,
      out: "",
      err: "error: there is no box/nope in namespace default\n",
    });
    expect(await run("get", "box", "-n", "empty")).toEqual({
      code: 0,
      out: "",
      err: "there is no box in namespace empty; -A looks in all namespaces\n",
    });
    expect(await run("get", "bax")).toEqual({
      code: 1,
      out: "",
      err: "error: there is no bax in namespace default: the kind bax is not known; did you mean box?\n",
    });
    expect((await run("get", "lighthouse", "-A")).err).toMatch(
      /: the kind lighthouse is not known; kinds there are: .*box/,
    );
    expect(await run("describe", "bxo/a")).toMatchObject({
      code: 1,
      err: "error: there is no bxo/a in namespace default: the kind bxo is not known; did you mean box?\n",
    });
    expect(await run("get", "box", "-g", "none")).toMatchObject({
      code: 1,
      err: "error: there is no box in namespace default of group none: group none has no kind box; demo has one\n",
    });
    expect(await run("work", "--kind", "bxo")).toMatchObject({ code: 1 });
    expect(await run("wait", "bxo/a", "--timeout", "100ms")).toMatchObject({
      code: 4,
      err: expect.stringContaining("; the kind bxo is not known; did you mean box?\n"),
    });
  });

  it("says with -w that nothing is there, and that a kind is not known, and goes on", async () => {
    const watch = start(["get", "bax", "-w"], { env: { RECONCILE_SERVER: server.url } });
    await until(() => watch.err() !== "");
    watch.interrupt();
    expect(await watch.ended).toMatchObject({
      code: 130,
      err: "there is no bax in namespace default: the kind bax is not known; did you mean box?\n",
    });
  });

  it("takes what names a place before the verb too", async () => {
    const words = ["-n", "default", "-o", "name", "--server", server.url, "get", "box", "a"];
    expect(await reconcile(words)).toEqual({ code: 0, out: "box.demo/a\n", err: "" });
    expect((await reconcile(["-A", "config", "get-contexts"])).err).toContain("unknown option '-A'");
  });

  it("shows groups where kinds of one name are in several, and prints names that are taken back", async () => {
    const twins = manifest("duo", "d") + manifest("duo", "d").replace("demo", "other.org");
    await run("apply", "-f", file(twins));
    await run("apply", "-f", file(manifest("duo", "far/off")), "-n", "elsewhere");
    expect((await run("get", "duo")).out).toMatch(
      /^GROUP +NAME +READY.*\n(demo +d|other\.org +d) .*\n(demo +d|other\.org +d) /,
    );
    expect((await run("get", "box")).out).toMatch(/^NAME +READY/);

    expect((await run("work")).out).toMatch(/^GROUP +NAMESPACE +KIND/);
    const here = (await run("get", "duo", "-o", "name")).out.trim().split("\n");
    expect(here.toSorted()).toEqual(["duo.demo/d", "duo.other.org/d"]);
    const all = (await run("get", "duo", "-A", "-o", "name")).out.trim().split("\n");
    expect(all.toSorted()).toEqual(["default/duo.demo/d", "default/duo.other.org/d", "elsewhere/duo.demo/far/off"]);
    for (const reference of [...here, ...all]) {
      expect(JSON.parse((await run("get", reference, "-o", "json")).out)).toMatchObject({
        kind: "duo",
        group: reference.includes("demo") ? "demo" : "other.org",
        namespace: reference.startsWith("elsewhere") ? "elsewhere" : "default",
      });
      expect((await run("describe", reference)).code).toBe(0);
    }
    expect((await run("get", "duo.other.org", "-o", "name")).out).toBe("duo.other.org/d\n");
    expect((await run("delete", "duo.other.org/d")).out).toBe("duo/d deleted\n");
    expect((await run("delete", "elsewhere/duo.demo/far/off", "--wait")).out).toBe("duo/far/off deleted\n");
    expect((await run("history", "elsewhere/duo.demo/far/off")).out).toContain(" DELETED ");
  });

  it("finds KIND.GROUP of a kind that the server has not counted yet: it printed nothing", async () => {
    await run("kinds");
    await run("apply", "-f", file(manifest("uncounted", "u").replace("demo", "other.org")));
    expect((await run("get", "uncounted.other.org", "-o", "name")).out).toBe("uncounted.other.org/u\n");
  });

  it("asks for the group where a name is in several", async () => {
    await run("apply", "-f", file(manifest("twin", "t") + manifest("twin", "t").replace("demo", "other")));
    const { code, err } = await run("describe", "twin", "t");
    expect({ code, err }).toEqual({
      code: 2,
      err: "error: twin/t is in several groups (demo, other); choose one with --group\n",
    });
    expect((await run("describe", "twin", "t", "-g", "other")).out).toContain("  Group:       other\n");
  });

  it("follows with -w until Ctrl-C", async () => {
    await run("apply", "-f", file(manifest("clock", "c")));
    const watch = start(["get", "clock", "-w", "-o", "json"], { env: { RECONCILE_SERVER: server.url } });
    const events = () =>
      watch
        .out()
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line || "{}"));
    await until(() => events().length === 1 && events()[0].event === "INITIAL");
    await run("apply", "-f", file(manifest("clock", "c", "spec: {size: 2}")));
    await run("delete", "clock/c");
    await until(() => events().length === 3);
    watch.interrupt();
    expect(await watch.ended).toMatchObject({ code: 130, err: "" });
    expect(events().map(({ event, resource }) => [event, resource.spec.size])).toEqual([
      ["INITIAL", 1],
      ["MODIFIED", 2],
      ["DELETED", 2],
    ]);
  });
});

it("reconcile get -w goes on through a restart of the server, and says so", async () => {
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const config = { serverPort: await freePort() };
  const first = await startServer({ databaseUrl: database.url, config });
  const world = { env: { RECONCILE_SERVER: first.url } };
  await reconcile(["apply", "-f", file(manifest("boat", "b"))], world);
  const watch = start(["get", "boat", "-w"], world);
  await until(() => watch.out().includes("b "));
  await first.stop();
  await until(() => watch.err() === "the connection was lost; going on when the server answers\n");
  const second = await startServer({ databaseUrl: database.url, config });
  onTestFinished(() => second.stop());
  await reconcile(["apply", "-f", file(manifest("boat", "b", "spec: {size: 2}"))], world);
  await until(() => /^MODIFIED +b .* 0\/2 /m.test(watch.out()));
  watch.interrupt();
  const { out, err } = await watch.ended;
  expect(err).toBe("the connection was lost; going on when the server answers\nconnected again\n");
  expect(out.trim().split("\n").length).toBe(3); // titles, the first state, the change: nothing twice
});

it("completes kinds, names and KIND/NAME", async () => {
  await run(
    "apply",
    "-f",
    file(manifest("fruit", "apple") + manifest("fruit", "pear") + manifest("fruit", "'$(reboot)'")),
  );
  const world = { env: { RECONCILE_SERVER: server.url } };
  await until(async () => (await completions(["get", "fru"], world)).includes("fruit")); // kinds are counted now and then
  expect(await completions(["describe", "fruit", "a"], world)).toEqual(["apple"]);
  expect(await completions(["get", "fruit/"], world)).toEqual(["fruit/apple", "fruit/pear"]);
});

describe("reconcile edit", () => {
  const edit = (name: string, script: string) =>
    reconcile(["edit", `note/${name}`], { env: { RECONCILE_SERVER: server.url, EDITOR: `sed -i -e '${script}'` } });

  it("stores what was edited, and nothing when nothing was", async () => {
    await run("apply", "-f", file(manifest("note", "n", "labels: {a: b}\nfinalizers: [demo/hold]")));
    expect(await edit("n", "s/a: b/a: c/; /demo.hold/d; /finalizers/d")).toEqual({
      code: 0,
      out: "note/n edited\n",
      err: "",
    });
    const stored = await client.get(key("note", "n"));
    expect({ labels: stored?.labels, finalizers: stored?.finalizers }).toEqual({
      labels: new Map([["a", "c"]]),
      finalizers: [],
    });
    expect(await edit("n", "s/nothing/anything/")).toEqual({ code: 0, out: "note/n unchanged\n", err: "" });
  });

  it("keeps the text when it is no manifest, or names something else", async () => {
    for (const script of ["s/kind:/knd:/", "s/name: n/name: m/"]) {
      const { code, err } = await edit("n", script);
      expect(code).toBe(2);
      const [, path = ""] = /Your text is in (\S+):/.exec(err) ?? [];
      expect(readFileSync(path, "utf8")).toContain("labels:\n  a: c\n");
      rmSync(dirname(path), { recursive: true });
    }
  });

  it("is not disturbed by a status that is written meanwhile, and never overwrites somebody's change", async () => {
    const held = file(manifest("note", "held"));
    await run("apply", "-f", held);
    // The editor of each: tells that it is open, and goes on when the test has written.
    const meanwhile = async (write: () => Promise<unknown>) => {
      const gate = `${held}.${Math.random()}`;
      const script = file(
        `touch ${gate}.open; while [ ! -e ${gate}.go ]; do sleep 0.02; done; echo 'labels: {mine: "1"}' >> "$1"\n`,
        "edit.sh",
      );
      const editing = start(["edit", "note/held"], { env: { RECONCILE_SERVER: server.url, VISUAL: `sh ${script}` } });
      await until(() => readFileSync(`${gate}.open`, "utf8") === "");
      await write();
      writeFileSync(`${gate}.go`, "");
      return await editing.ended;
    };
    expect(await meanwhile(() => report("note", "held", "True"))).toMatchObject({ code: 0, out: "note/held edited\n" });

    await client.apply({ key: key("note", "held"), spec: { size: 1 } });
    const refused = await meanwhile(() => client.apply({ key: key("note", "held"), spec: { size: 5 } }));
    expect(refused.err).toContain(
      "note/held was changed by somebody else meanwhile; nothing is stored. Your text is in ",
    );
    expect(refused.code).toBe(1);
    expect((await client.get(key("note", "held")))?.specJson).toBe('{"size":5}');
  });
});

describe("reconcile describe, history, wait, delete", () => {
  it("tells what changed in each change, and the history of what is gone", async () => {
    await run("apply", "-f", file(manifest("story", "s", "spec: {port: 8080}")));
    await run("apply", "-f", file(manifest("story", "s", "spec: {port: 8090}")));
    const { out } = await run("describe", "story/s");
    expect(out).toMatch(/^story default\/s\n {2}Group: +demo\n/);
    expect(out).toContain("\nSpec\n  port: 8090\n");
    expect(out).toContain("  Reconciler:  none is running for this kind: nothing will happen\n");
    expect(out).toMatch(/\nRecent changes\n.*\n.* MODIFIED .* spec.port: 8080 → 8090\n.* ADDED .* created\n$/);
    await run("delete", "story", "s");
    expect((await run("history", "story/s", "-g", "demo")).out.match(/ADDED|MODIFIED|DELETED/g)).toEqual([
      "DELETED",
      "MODIFIED",
      "ADDED",
    ]);
    expect((await run("history", "story/s", "-g", "demo", "--diff", "--limit", "2")).out).toContain(
      "-  port: 8080\n+  port: 8090\n",
    );
    expect(await run("history", "story/never", "-g", "demo")).toMatchObject({ code: 1 });
  });

  it("tells who holds a deletion, waits for its end, and forces it on demand", async () => {
    await run("apply", "-f", file(manifest("door", "d", "finalizers: [demo/lock]")));
    expect((await run("delete", "door/d")).out).toBe("door/d deletion requested; finalizers hold it\n");
    expect((await run("describe", "door/d")).out).toMatch(
      /\nDeletion\n {2}requested .* ago\n {2}held by demo\/lock: nobody is known to take it off/,
    );
    const late = await run("wait", "door/d", "--for", "deleted", "--timeout", "1s");
    expect(late).toEqual({
      code: 4,
      out: "",
      err: "error: door/d is not deleted in time: its deletion waits for demo/lock\n",
    });
    const waiting = start(["wait", "door", "d", "--for", "deleted"], { env: { RECONCILE_SERVER: server.url } });
    expect((await run("remove-finalizer", "door/d", "demo/lock", "-m", "the test says so")).out).toBe(
      "demo/lock taken off door/d, which is gone now\n",
    );
    expect(await waiting.ended).toEqual({ code: 0, out: "door/d is deleted\n", err: "" });
    expect(await run("delete", "door/d")).toMatchObject({ code: 1 });
    expect(await run("release", "door/d")).toMatchObject({ code: 1 });
  });

  it("says with --wait that it is gone when it is, whoever has its name by then", async () => {
    await run("apply", "-f", file(manifest("door", "w", "finalizers: [demo/lock]")));
    const deleting = start(["delete", "door/w", "--wait"], { env: { RECONCILE_SERVER: server.url } });
    await until(() => deleting.out() === "door/w deletion requested\n");
    await run("remove-finalizer", "door/w", "demo/lock", "-m", "the test says so");
    await run("apply", "-f", file(manifest("door", "w")));
    expect(await deleting.ended).toEqual({ code: 0, out: "door/w deletion requested\ndoor/w deleted\n", err: "" });
  });

  it("waits for a resource that is not there yet", async () => {
    const waiting = start(["wait", "guest/g", "--for", "condition=Ready=False"], {
      env: { RECONCILE_SERVER: server.url },
    });
    await run("apply", "-f", file(manifest("guest", "g")));
    await report("guest", "g", "False");
    expect(await waiting.ended).toEqual({ code: 0, out: "guest/g is Ready=False\n", err: "" });
  });
});

describe("reconcile kinds, work, reconcilers, doctor, version", () => {
  it("tells how the whole is", async () => {
    await run("apply", "-f", file(manifest("job", "j")));
    expect(JSON.parse((await run("work", "--kind", "job", "-o", "json")).out)).toMatchObject([
      { key: { resource_group: "demo", name: "j" }, reason: "CREATED", last_error: "" },
    ]);
    expect(JSON.parse((await run("kinds", "-o", "json")).out)[0]).toHaveProperty("not_ready");
    expect((await run("work", "--kind", "job", "--state", "LEASED")).out.trim().split("\n").length).toBe(1);
    expect((await run("reconcilers")).out).toMatch(/^NAME +INSTANCE /);
    const { out, code } = await run("doctor");
    expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/^ok {4}server .*\nok {4}PostgreSQL \d+/) });
    expect((await run("version")).out).toMatch(/^client \S+ \(Node.js .*\)\nserver \S+ at http:/);
  });
});
