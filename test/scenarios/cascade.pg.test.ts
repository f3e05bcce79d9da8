import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { DeletionPropagation, ResourceService } from "../../gen/reconcile/v1/resource_service_pb.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

const CHILDREN = 2_000;
const PATIENT = { timeoutMs: 60_000 };

const key = (name: string) => ({ resourceGroup: "apps", kind: "widget", namespace: "default", name });
const owner = (name: string) => ({ resourceGroup: "apps", kind: "widget", name });

describe("a cascade of 2,000 children, its server killed in the middle,", { timeout: 180_000 }, () => {
  it.each([
    ["in the background", DeletionPropagation.BACKGROUND],
    ["in the foreground", DeletionPropagation.FOREGROUND],
  ])("%s ends after a restart", async (_, propagation) => {
    const world = await World.open({ replicas: 1 });
    const replica = world.replica(0);
    // One connection: the cascade is looked at often.
    const client = new pg.Client(world.databaseUrl);
    await client.connect();
    onTestFinished(() => client.end());
    const transport = createConnectTransport({ baseUrl: replica.url, httpVersion: "2" });
    const resources = createClient(ResourceService, transport);
    await resources.createResource({ resource: { key: key("top"), shardId: "s1" } });
    for (let from = 0; from < CHILDREN; from += 200) {
      await Promise.all(
        Array.from({ length: 200 }, (_, i) =>
          resources.createResource({ resource: { key: key(`c${from + i}`), shardId: "s1", owner: owner("top") } }),
        ),
      );
    }
    const left = async () => Number((await client.query("SELECT count(*) AS n FROM resources")).rows[0]?.n);
    expect(await left()).toBe(CHILDREN + 1);
    await resources.deleteResource({ key: key("top"), propagation });
    await until(async () => (await left()) < CHILDREN - 100, PATIENT);
    await replica.program.kill();
    const atDeath = await left();
    expect(atDeath).toBeGreaterThan(0);
    await replica.start();
    await until(async () => (await left()) === 0, { ...PATIENT, what: "the cascade ends" });
    await until(async () => (await client.query("SELECT FROM collections")).rows.length === 0, PATIENT);
  });
});
