import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runExamples } from "../../../examples/run-examples.js";
import { createResourceClient, type ResourceClient, type ResourceKey } from "../../../src/client/index.js";
import { findCondition, isReady } from "../../../src/controlloop/index.js";
import { runDirectory } from "../../support/run-directory.js";
import { startServer, type TestServer } from "../../support/server.js";
import { until } from "../../support/until.js";

/** Far below the resync of 30 s, which would hide that a change went unnoticed. */
const AT_ONCE = { timeoutMs: 5_000 };

let server: TestServer;
let client: ResourceClient;
let root: string;
let examples: { stop(): Promise<void> };

beforeAll(async () => {
  const dataDir = mkdtempSync(join(runDirectory(), "file-"));
  root = join(dataDir, "files");
  server = await startServer();
  client = createResourceClient(server.url);
  const logger = pino({ level: process.env.TEST_LOG ?? "silent" });
  examples = await runExamples({ serverUrl: server.url, dataDir, logger, allowedScripts: [] });
});
afterAll(async () => {
  await examples.stop();
  client.close();
  await server.stop();
});

describe("file example", () => {
  it("puts a file back at once every time, not only the first", async () => {
    const path = await declared("often", "a/often");
    for (let time = 0; time < 3; time++) {
      writeFileSync(path, "edited");
      await until(() => isAsDeclared(path), { ...AT_ONCE, what: `edit ${time} is healed` });
      unlinkSync(path);
      await until(() => isAsDeclared(path), { ...AT_ONCE, what: `deletion ${time} is healed` });
      chmodSync(path, 0o600);
      await until(() => isAsDeclared(path), { ...AT_ONCE, what: `chmod ${time} is healed` });
    }
    expect(readdirSync(join(root, "a"))).toEqual(["often"]);
  });

  it("goes on watching a directory that was removed and made again", async () => {
    const paths = [await declared("deep-1", "b/c/1"), await declared("deep-2", "b/c/2")];
    for (const removed of ["b/c", "b", ""]) {
      rmSync(join(root, removed), { recursive: true });
      for (const path of paths) {
        await until(() => isAsDeclared(path), { ...AT_ONCE, what: `${path} is back after rm -r ${removed}` });
        writeFileSync(path, "edited");
        await until(() => isAsDeclared(path), { ...AT_ONCE, what: `${path} is healed after rm -r ${removed}` });
      }
    }
  });

  it("goes on watching a directory while one of its files has an owner", async () => {
    const leaving = keyOf("leaving");
    await declared("leaving", "d/leaving");
    const staying = await declared("staying", "d/staying");
    await client.delete(leaving);
    await until(async () => (await client.get(leaving)) === undefined);
    unlinkSync(staying);
    await until(() => isAsDeclared(staying), AT_ONCE);
  });

  it("gives a path that was refused to the next who asks", async () => {
    const refused = keyOf("refused");
    symlinkSync("/tmp", join(root, "link"));
    await client.create({ key: refused, spec: { path: "link/x", content: "refused" } });
    await until(async () => {
      const resource = await client.get(refused);
      return resource !== undefined && findCondition(resource, "Ready")?.reason === "PathRefused";
    });
    unlinkSync(join(root, "link"));
    expect(await declared("next", "link/x")).toBe(join(root, "link/x"));
  });

  it("removes the former file when the path changes", async () => {
    const former = await declared("moved", "e/former");
    await client.apply({ key: keyOf("moved"), spec: { path: "e/latter", content: "declared" } });
    await until(() => isAsDeclared(join(root, "e/latter")));
    expect(statSync(former, { throwIfNoEntry: false })).toBeUndefined();
  });
});

function keyOf(name: string): ResourceKey {
  return { resourceGroup: "examples", kind: "file", namespace: "default", name };
}

/** Declares a file and waits for it; returns where it is. */
async function declared(name: string, path: string): Promise<string> {
  await client.create({ key: keyOf(name), spec: { path, content: "declared" } });
  await until(async () => {
    const resource = await client.get(keyOf(name));
    return resource !== undefined && isReady(resource);
  });
  return join(root, path);
}

function isAsDeclared(path: string): boolean {
  return readFileSync(path, "utf8") === "declared" && (statSync(path).mode & 0o777) === 0o644;
}
