import { join } from "node:path";
import pLimit from "p-limit";
import { describe, expect, it } from "vitest";
import { runScenarios, type Verdict } from "../../conformance/run-scenarios.js";
import { scenarios } from "../../conformance/scenarios/index.js";
import { FAULTS, type Fault } from "./faults.js";

/** A scenario mostly waits. */
const JOBS = 8;
const program = join("dist", "test", "conformance", "bad-worker.js");

async function judge(names: readonly string[], args: readonly string[], jobs: number): Promise<readonly Verdict[]> {
  const chosen = scenarios.filter(({ name }) => names.includes(name));
  const verdicts: Verdict[] = [];
  await runScenarios(chosen, [process.execPath, program, ...args], jobs, (verdict) => verdicts.push(verdict));
  return verdicts;
}

describe("the conformance suite", { timeout: 240_000 }, () => {
  it("has for every promise a fault that breaks it", () => {
    const names = scenarios.map(({ name }) => name).sort();
    expect([...new Set(Object.values(FAULTS).flat())].sort()).toEqual(names);
  });

  it("lets a worker without a library pass that keeps every promise", async () => {
    const names = scenarios.map(({ name }) => name);
    const broken = (await judge(names, [], JOBS)).filter(({ failure }) => failure !== undefined);
    expect(broken.map(({ scenario, failure, trace }) => [scenario.name, failure, ...trace])).toEqual([]);
  });

  it("sees every fault of a bad worker, by the promise that it breaks", async () => {
    const limit = pLimit(JOBS);
    const faults = Object.keys(FAULTS) as Fault[]; // The keys of a constant are known.
    const judged = faults.map((fault) =>
      limit(async () => ({ fault, verdicts: await judge(FAULTS[fault], [fault], 1) })),
    );
    const unseen = (await Promise.all(judged)).flatMap(({ fault, verdicts }) =>
      verdicts.filter(({ failure }) => failure === undefined).map(({ scenario }) => `${fault}: ${scenario.name}`),
    );
    expect(unseen).toEqual([]);
  });
});
