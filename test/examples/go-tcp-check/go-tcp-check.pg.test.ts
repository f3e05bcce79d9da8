import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createResourceClient, type ResourceClient } from "../../../src/client/index.js";
import { findCondition } from "../../../src/controlloop/index.js";
import { freePort } from "../../../src/shared/free-port.js";
import { goWorker } from "../../conformance/library-workers.js";
import { type Program, startCommand } from "../../support/processes.js";
import { runDirectory } from "../../support/run-directory.js";
import { startServer, type TestServer } from "../../support/server.js";
import { until } from "../../support/until.js";

const BUILD_MS = 240_000;
const PATIENT = { timeoutMs: 20_000 };

const why = goWorker.missing === undefined ? "" : ` (skipped: ${goWorker.missing})`;
describe.skipIf(goWorker.missing !== undefined)(`check example in Go${why}`, () => {
  let server: TestServer;
  let client: ResourceClient;
  let example: Program;
  beforeAll(async () => {
    const program = join(mkdtempSync(join(runDirectory(), "go-")), "go-tcp-check");
    await promisify(execFile)("go", ["build", "-o", program, "."], { cwd: "examples/go-tcp-check" });
    server = await startServer();
    client = createResourceClient(server.url);
    example = startCommand([program], { SERVER_URL: server.url });
  }, BUILD_MS);
  afterAll(async () => {
    await example?.kill();
    client?.close();
    await server?.stop();
  });

  async function check(name: string, spec: object) {
    const key = { resourceGroup: "examples", kind: "check", namespace: "default", name };
    await client.apply({ key, spec });
    return key;
  }

  test("says of a target whether it answers, and how fast, again and again", { timeout: 60_000 }, async () => {
    const address = new URL(server.url).host;
    for (const [name, target] of [
      ["tcp", address],
      ["http", `${server.url}/health/live`],
    ] as const) {
      const key = await check(name, { target, intervalMs: 200 });
      const read = () => client.get<unknown, { latencyMs: number; checkedAt: string }>(key);
      const isReachable = async () => {
        const found = await read();
        return found !== undefined && findCondition(found, "Reachable")?.status === "True" && found;
      };
      const { status } = await until(isReachable, PATIENT);
      expect(status?.latencyMs).toBeGreaterThan(0);
      const isLater = async () => ((await read())?.status?.checkedAt ?? "") > (status?.checkedAt ?? "");
      await until(isLater, PATIENT);
    }
  });

  test("tells of a port that nobody listens on, and of a spec that makes no sense", { timeout: 60_000 }, async () => {
    const closed = await check("closed", { target: `127.0.0.1:${await freePort()}`, intervalMs: 60_000 });
    const wrong = await check("wrong", { target: "127.0.0.1:1", intervalMs: 1 });
    const condition = async (key: typeof closed, type: string) => {
      const found = await client.get(key);
      return found && findCondition(found, type);
    };
    const refused = await until(() => condition(closed, "Reachable"), PATIENT);
    expect(refused).toMatchObject({ status: "False", message: expect.stringContaining("refused") });
    const invalid = await until(() => condition(wrong, "Ready"), PATIENT);
    expect(invalid).toMatchObject({ status: "False", reason: "InvalidSpec" });
  });
});
