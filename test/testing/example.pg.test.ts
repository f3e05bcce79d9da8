/** The example of docs/testing.md, word for word but for its imports. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { defineReconciler, done } from "../../src/controlloop/index.js";
import { createTestLoop, startTestServer, type TestServer } from "../../src/testing/index.js";

const greeter = defineReconciler<{ name: string }, { greeting: string }>({
  name: "greeter",
  resourceGroup: "demo",
  kind: "greeting",
  reconcile: async (resource) => done({ greeting: `Hello, ${resource.spec.name}` }),
});

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

it("greets", async () => {
  const loop = createTestLoop(server, greeter);
  const key = { resourceGroup: "demo", kind: "greeting", namespace: "default", name: "a" };
  await server.client.create({ key, spec: { name: "World" } });
  expect(await loop.step()).toMatchObject({ key, result: "success", status: { greeting: "Hello, World" } });
  expect(await loop.step()).toBeUndefined();
  loop.close();
});
