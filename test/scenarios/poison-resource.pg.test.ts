import { describe, expect, it, onTestFinished } from "vitest";
import { WorkState } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { connect } from "../../src/client/connect.js";
import { createResourceClient } from "../../src/client/index.js";
import { startProgram } from "../support/processes.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

const PATIENT = { timeoutMs: 60_000 };
const KIND = "job";
const key = (name: string) => ({ resourceGroup: "work", kind: KIND, namespace: "default", name });
const NEIGHBOURS = Array.from({ length: 20 }, (_, i) => `n${i}`);

describe("a resource that kills every worker", { timeout: 180_000 }, () => {
  it("is found out and quarantined; its neighbours get at most two passes more, and are not", async () => {
    const world = await World.open({ replicas: 1 });
    const { url } = world.replica(0);
    const client = createResourceClient(url);
    const connection = connect(url);
    onTestFinished(() => client.close());
    onTestFinished(() => connection.close());
    const workOn = (name: string) => connection.reconcilers.getWork({ key: key(name) });
    for (const name of NEIGHBOURS) await client.create({ key: key(name), spec: {} });
    await client.create({ key: key("poison"), spec: { poison: true } });

    const workers = keepWorkerRunning(url);
    const isQuarantined = async () => (await workOn("poison")).state === WorkState.QUARANTINED;
    await until(isQuarantined, PATIENT);
    // Two deaths over all that the workers held, and five over the resource alone.
    expect(workers.deaths).toBe(7);
    expect((await workOn("poison")).item).toMatchObject({ strikes: 5, lastError: expect.stringContaining("died") });
    await until(async () => conditionOf(await client.get(key("poison")))?.status === "True", PATIENT);
    expect(conditionOf(await client.get(key("poison")))).toMatchObject({
      type: "Quarantined",
      reason: "WorkersDied",
      message: expect.stringMatching(/^5 workers in a row died .*job-reconciler\//),
    });

    const settled = async (name: string) => (await workOn(name)).state === WorkState.SETTLED;
    for (const name of NEIGHBOURS) await until(() => settled(name), PATIENT);
    for (const name of NEIGHBOURS) {
      expect(await client.get(key(name))).toMatchObject({ observedGeneration: 1n });
      expect(conditionOf(await client.get(key(name)))).toBeUndefined();
      expect(workers.passes(name)).toBeGreaterThanOrEqual(1);
      expect(workers.passes(name)).toBeLessThanOrEqual(3);
    }

    await connection.reconcilers.releaseQuarantine({ key: key("poison") });
    expect(conditionOf(await client.get(key("poison")))).toMatchObject({ status: "False", reason: "Released" });
    // It is what it was, until its spec is another one.
    await until(() => workers.deaths === 8, PATIENT);
    await client.apply({ key: key("poison"), spec: {} });
    await until(async () => (await client.get(key("poison")))?.observedGeneration === 2n, PATIENT);
    expect(conditionOf(await client.get(key("poison")))?.status).not.toBe("True");
    await until(() => settled("poison"), PATIENT);
  });
});

/** One worker process at a time, started again whenever it dies, as a supervisor would. */
function keepWorkerRunning(url: string) {
  const programs = [start()];
  let isOver = false;
  let deaths = 0;
  onTestFinished(async () => {
    isOver = true;
    await programs.at(-1)?.kill();
  });
  const supervise = async () => {
    for (;;) {
      await programs.at(-1)?.exited;
      if (isOver) return;
      deaths++;
      programs.push(start());
    }
  };
  void supervise();

  function start() {
    return startProgram("test/support/worker-process.mjs", { args: [url, KIND, "60000"] });
  }

  return {
    get deaths() {
      return deaths;
    },
    /** How many passes over a resource were begun, by all of them. */
    passes: (of: string) =>
      programs.flatMap(({ lines }) => lines).filter(({ event, name }) => event === "started" && name === of).length,
  };
}

function conditionOf(resource: { readonly statusJson: string } | undefined) {
  return JSON.parse(resource?.statusJson || "null")?.conditions?.find(
    ({ type }: { type: string }) => type === "Quarantined",
  );
}
