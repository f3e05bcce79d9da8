import { setTimeout as sleep } from "node:timers/promises";
import pLimit from "p-limit";
import { pino } from "pino";
import { expect, it, onTestFinished } from "vitest";
import { createResourceClient } from "../../src/client/index.js";
import { defineReconciler, done, runControlLoop } from "../../src/controlloop/index.js";
import { querySql } from "../support/history.js";
import { startServer } from "../support/server.js";
import { until } from "../support/until.js";

const COUNT = 1_000;
const LONGEST_PASS_MS = 30;

it("a change during a pass causes exactly one more pass, in 1,000 interleavings (I7)", {
  timeout: 120_000,
}, async () => {
  const server = await startServer();
  onTestFinished(() => server.stop());
  const client = createResourceClient(server.url);
  onTestFinished(() => client.close());
  const key = (name: string) => ({ resourceGroup: "work", kind: "job", namespace: "default", name });
  const passes = new Map<string, number[]>();
  const changes = new Map<string, Promise<unknown>>();

  /** Several changes that are stored before the pass ends, or one that may meet its report in the same transaction. */
  const change = async (name: string): Promise<void> => {
    const isRace = Math.random() < 0.5;
    const count = isRace ? 1 : 1 + Math.floor(Math.random() * 3);
    const writes = (async () => {
      for (let n = 1; n <= count; n++) {
        await sleep(Math.random() * LONGEST_PASS_MS);
        await client.apply({ key: key(name), spec: n });
      }
    })();
    changes.set(name, writes);
    await (isRace ? sleep(Math.random() * LONGEST_PASS_MS) : writes);
  };

  const loop = runControlLoop({
    serverUrl: server.url,
    logger: pino({ level: "silent" }),
    reconcilers: [
      defineReconciler<number, object>({
        name: "job-reconciler",
        resourceGroup: "work",
        kind: "job",
        concurrency: 32,
        async reconcile({ key: { name }, generation, spec }) {
          const seen = passes.get(name) ?? [];
          passes.set(name, [...seen, Number(generation)]);
          if (seen.length === 0) await change(name);
          return done({ spec });
        },
      }),
    ],
  });
  onTestFinished(() => loop.stop());
  const limit = pLimit(32);
  const names = Array.from({ length: COUNT }, (_, i) => `n${i}`);
  await Promise.all(names.map((name) => limit(() => client.create({ key: key(name), spec: 0 }))));
  await until(() => changes.size === COUNT, { timeoutMs: 180_000, what: "every resource had its first pass" });
  await Promise.all(changes.values());
  const isPending = async () => {
    for await (const _ of client.list({ kind: "job" }, { pending: true, pageSize: 1 })) return true;
    return false;
  };
  await until(async () => !(await isPending()), { timeoutMs: 180_000, what: "everything is reconciled" });
  // Then no further pass can follow.
  const queued = () => querySql(server.databaseUrl, "SELECT 1 FROM work_items LIMIT 1");
  await until(async () => (await queued()).length === 0, {
    timeoutMs: 30_000,
    everyMs: 100,
    what: "the queue is empty",
  });
  const odd = [...passes].filter(([, generations]) => generations.length !== 2);
  expect(odd).toEqual([]);
  let count = 0;
  for await (const {
    generation,
    observedGeneration,
    key: { name },
  } of client.list({ kind: "job" })) {
    count++;
    expect(observedGeneration).toBe(generation);
    expect(passes.get(name)?.at(-1)).toBe(Number(generation));
  }
  expect(count).toBe(COUNT);
});
