import { randomUUID } from "node:crypto";
import pLimit from "p-limit";
import { BrokenPromise } from "./check.js";
import { FakeServer } from "./fake-server.js";
import { type Scenario, Stage } from "./stage.js";
import { traceOf } from "./trace.js";

/** Far above the longest scenario; a worker that hangs one fails it. */
const SCENARIO_MAX_MS = 60_000;

/** How one scenario went. */
export interface Verdict {
  readonly scenario: Scenario;
  readonly seconds: number;
  /** Why the promise is broken; undefined when it is kept. */
  readonly failure: string | undefined;
  /** What happened, line by line. */
  readonly trace: readonly string[];
}

/** Runs every scenario with a server and a worker of its own, `jobs` at a time; tells of each as it ends. */
export async function runScenarios(
  scenarios: readonly Scenario[],
  command: readonly string[],
  jobs: number,
  tell: (verdict: Verdict) => void,
): Promise<void> {
  const limit = pLimit(jobs);
  await Promise.all(scenarios.map((scenario) => limit(async () => tell(await judge(scenario, command)))));
}

async function judge(scenario: Scenario, command: readonly string[]): Promise<Verdict> {
  const server = await FakeServer.create();
  const stage = new Stage(server, command, `${scenario.name}-${randomUUID().slice(0, 8)}`);
  const startedAt = performance.now();
  const timer = new AbortController();
  let failure: string | undefined;
  try {
    await Promise.race([scenario.run(stage), stage.failed, timeout(timer.signal)]);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
    // Ours, not the worker's: its place in the code is worth knowing.
    if (!(error instanceof BrokenPromise) && error instanceof TypeError) failure = error.stack;
  }
  timer.abort();
  const trace = traceOf(stage, startedAt);
  await stage.end();
  return { scenario, failure, trace, seconds: (performance.now() - startedAt) / 1_000 };
}

function timeout(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(new BrokenPromise(`the scenario was not over after ${SCENARIO_MAX_MS / 1_000} s`));
    const timer = setTimeout(fail, SCENARIO_MAX_MS);
    signal.addEventListener("abort", () => clearTimeout(timer));
  });
}
