import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProcessTable } from "../../../examples/process/process-table.js";
import { identifyProcess } from "../../../src/shared/process-identity.js";
import { runDirectory } from "../../support/run-directory.js";
import { until } from "../../support/until.js";

let directory: string;
let script: string;
let table: ProcessTable;
let ended: string[];

beforeEach(() => {
  directory = mkdtempSync(join(runDirectory(), "processes-"));
  script = join(directory, "script.mjs");
  writeFileSync(script, "setInterval(() => {}, 1000);");
  ended = [];
  table = new ProcessTable(join(directory, "table"), (id) => ended.push(id));
});
afterEach(async () => {
  await Promise.all(table.ids().map((id) => table.stop(id)));
});

describe("process table", () => {
  it("starts, finds and stops a process, and forgets it", async () => {
    table.start("a", command());
    const { pid } = running("a");
    await table.stop("a");
    await table.stop("a");
    expect(identifyProcess(pid)).toBeUndefined();
    expect(table.find("a")).toBeUndefined();
    expect(readdirSync(join(directory, "table"))).toEqual([]);
    expect(ended).toEqual([]);
  });

  it("tells of a process that ends without being asked to", async () => {
    table.start("a", command());
    process.kill(running("a").pid, "SIGKILL");
    await until(() => ended.length > 0);
    expect(ended).toEqual(["a"]);
    expect(table.find("a")).toBeUndefined();
  });

  it("kills what ignores SIGTERM", async () => {
    writeFileSync(script, "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up');");
    table.start("a", command());
    const { pid } = running("a");
    await until(() => readFileSync(join(directory, "table/a.log"), "utf8").includes("up"));
    await table.stop("a");
    expect(identifyProcess(pid)).toBeUndefined();
  });

  it("adopts the process of an earlier life and notices its end", async () => {
    table.start("a", command());
    const adopter = new ProcessTable(join(directory, "table"), (id) => ended.push(`adopted ${id}`));
    expect(adopter.find("a")).toMatchObject(running("a"));
    process.kill(running("a").pid, "SIGKILL");
    await until(() => ended.includes("adopted a"));
  });

  it("never touches a stranger that got the number", async () => {
    const stranger = process.pid;
    table.start("a", command());
    await table.stop("a");
    writeFileSync(
      join(directory, "table/a.json"),
      JSON.stringify({ pid: stranger, identity: "of another process", command: "{}" }),
    );
    expect(table.find("a")).toBeUndefined();
    await table.stop("a");
    expect(identifyProcess(stranger)).toBeDefined();
    expect(table.ids()).toEqual([]);
  });

  it("hands over nothing but the command's environment", async () => {
    writeFileSync(script, "console.log(JSON.stringify([process.env, process.argv.slice(2), process.execArgv]));");
    table.start("a", { script, args: ["--eval", "1"], env: { GREETING: "hello" } });
    const said = await until(() => readFileSync(join(directory, "table/a.log"), "utf8"));
    expect(JSON.parse(said)).toEqual([{ GREETING: "hello" }, ["--eval", "1"], []]);
  });
});

function command() {
  return { script, args: [], env: {} };
}

function running(id: string): { pid: number } {
  const found = table.find(id);
  if (found === undefined) throw new Error(`${id} does not run`);
  return found;
}
