import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createResourceClient, type ResourceClient } from "../../../src/client/index.js";
import { hasPython, type PythonProgram, startPython } from "../../support/python.js";
import { startServer, type TestServer } from "../../support/server.js";
import { until } from "../../support/until.js";

const WORKER = "test/conformance/stdlib_worker.py";
/** The interpreter alone takes seconds to start on a busy machine. */
const LIMIT_MS = 25_000;
const key = (name: string) => ({ resourceGroup: "demo", kind: "greeting", namespace: "default", name });

describe.skipIf(!hasPython("python3"))("a worker in Python's standard library (skipped without python3)", () => {
  let server: TestServer;
  let client: ResourceClient;
  let worker: PythonProgram;
  beforeAll(async () => {
    server = await startServer();
    client = createResourceClient(server.url);
    worker = startPython("python3", WORKER, { RECONCILE_SERVER: server.url });
  });
  afterAll(async () => {
    await worker.stop("SIGKILL");
    client.close();
    await server.stop();
  });

  test("reconciles over Connect JSON what is declared, and again what changes", async () => {
    await client.apply({ key: key("one"), spec: { name: "Ada" } });
    expect(await settled("one")).toMatchObject({ generation: 1n, status: { greeting: "Hello, Ada" } });

    await client.apply({ key: key("one"), spec: { name: "Grace" } });
    expect(await settled("one")).toMatchObject({ generation: 2n, status: { greeting: "Hello, Grace" } });
  });

  test("reports a pass that fails, and goes on with the others", async () => {
    await client.apply({ key: key("bad"), spec: {} });
    await client.apply({ key: key("good"), spec: { name: "Edsger" } });
    expect(await settled("good")).toMatchObject({ status: { greeting: "Hello, Edsger" } });
    await until(async () => (await workOf("bad"))?.lastError === "KeyError('name')", { timeoutMs: LIMIT_MS });
  });

  async function settled(name: string) {
    return until(
      async () => {
        const resource = await client.get(key(name));
        return resource?.observedGeneration === resource?.generation && resource;
      },
      { timeoutMs: LIMIT_MS, what: `${name} is reconciled; the worker said: ${worker.output()}` },
    );
  }

  /** Asked for as the worker does. */
  async function workOf(name: string): Promise<{ lastError?: string } | undefined> {
    const answer = await fetch(`${server.url}/reconcile.v1.ReconcilerService/ListWork`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
    });
    const { items } = (await answer.json()) as { items: { key: { name: string }; lastError?: string }[] };
    return items.find((item) => item.key.name === name);
  }
});
