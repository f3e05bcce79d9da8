/** A whole run: contended calls under a plan of faults, and everything they left behind, judged. */
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { defineReconciler, done, runControlLoop } from "../../../src/controlloop/index.js";
import { startBalancer } from "../balancer.js";
import { findHalfWritten, firstDifference } from "../history.js";
import { auditLeases, overlapsIn, readLeaseAudit } from "../lease-audit.js";
import type { Observer } from "../observer.js";
import { Random } from "../seed.js";
import { until } from "../until.js";
import type { World } from "../world.js";
import { CONTENDED_KINDS, RECONCILED_KIND } from "./choices.js";
import { ContendedLoad } from "./contended-load.js";
import { type FaultName, Faults } from "./faults.js";
import { findViolations } from "./find-violations.js";
import { judgeEnqueues } from "./judge-enqueues.js";
import { restCaller } from "./rest-caller.js";

const PATIENT = { timeoutMs: 60_000 };
const FROM_THE_START = 40;

export interface CheckedRunOptions {
  readonly seed: number;
  readonly plan: readonly FaultName[];
  readonly stormMs: number;
  /** What else happens after the plan, while calls go on. */
  readonly alsoDo?: (load: ContendedLoad) => Promise<void>;
  /** Whether PostgreSQL's clock does not tell the machine's time: then that of leases is no measure. */
  readonly isClockStepped?: boolean;
}

export interface CheckedRun {
  readonly operations: number;
  readonly violations: readonly string[];
}

/** Runs the plan over a world with one log, and judges. */
export async function runChecked(world: World, options: CheckedRunOptions): Promise<CheckedRun> {
  const { seed, plan, stormMs, alsoDo, isClockStepped = false } = options;
  await auditLeases(world);
  const watchers = [
    world.observe({ protocol: "sse", cutEvery: 300 }),
    world.observe({ protocol: "grpc", urls: world.urls.toReversed() }),
    world.observe({ protocol: "connect", filter: { kind: "one", tier: "web" } }),
  ];
  await until(() => watchers.every(({ isPlaced }) => isPlaced), PATIENT);
  const loop = await startWorker(world);
  const load = new ContendedLoad({ seed, urls: world.urls });
  onTestFinished(() => load.stop());
  const faults = new Faults({ world, load, random: new Random(seed, -2), stormMs });
  await until(() => load.writesDone > FROM_THE_START, { ...PATIENT, what: "writes begin" });
  for (const fault of plan) await faults.inject(fault);
  await alsoDo?.(load);
  await load.stop();
  await settle(world);
  await loop.stop();

  const history = await world.history();
  const leases = await readLeaseAudit(world);
  const reconciledKinds = new Set([RECONCILED_KIND]);
  const recording = { operations: load.operations, events: history.events, faults: faults.windows, reconciledKinds };
  const halfWritten = await findHalfWritten(world.databaseUrl);
  const deaths = world.replicas.flatMap(({ program }, i) => (program.hasEnded ? [`replica ${i} died`] : []));
  const violations = [
    ...deaths,
    ...load.violations,
    ...history.flaws,
    ...findViolations(recording),
    ...(isClockStepped ? [] : judgeEnqueues(load.operations, leases, history.events)),
    ...overlapsIn(leases),
    ...halfWritten.map((row) => `half-written: ${JSON.stringify(row)}`),
    ...(await judgeWatchers(history.expectedBy(), watchers.slice(0, 2))),
    ...(await judgeWatchers(history.expectedBy({ kind: "one", tier: "web" }), watchers.slice(2))),
    ...(await judgeEnd(world, history.stateAt(history.length))),
  ];
  return { operations: load.operations.length, violations };
}

/** Waits until nothing is on its way any more: children of deleted owners are gone, and every job is reconciled. */
async function settle(world: World): Promise<void> {
  const open = `SELECT 1 FROM collections WHERE NOT (mode = 'FOREGROUND' AND due_at > now() + interval '20 s') UNION ALL
    SELECT 1 FROM work_items WHERE kind = '${RECONCILED_KIND}'`;
  await until(async () => (await world.sql(open)).length === 0, { ...PATIENT, everyMs: 100, what: "all is settled" });
}

/** A control loop behind a balancer, for one of the kinds. */
async function startWorker(world: World): Promise<{ stop(): Promise<void> }> {
  const balancer = await startBalancer(world.urls);
  onTestFinished(() => balancer.close());
  const reconciler = defineReconciler({
    name: "checked",
    resourceGroup: "load",
    kind: RECONCILED_KIND,
    backoffMaxMs: 500,
    leaseDurationMs: 3_000,
    reconcile: () => done(),
  });
  const logger = pino({ level: "silent" });
  const loop = runControlLoop({ serverUrl: balancer.url, reconcilers: [reconciler], logger, graceMs: 1_000 });
  onTestFinished(() => loop.stop());
  return { stop: () => loop.stop() };
}

/** Watchers see everything, in order, and nothing else (I2, I3). */
async function judgeWatchers(
  expected: Parameters<typeof firstDifference>[0],
  watchers: readonly Observer[],
): Promise<readonly string[]> {
  const hasAll = () => watchers.every(({ seen, refusal }) => seen.length >= expected.length || refusal);
  await until(hasAll, { timeoutMs: 20_000 }).catch(() => {}); // what is missing is told below
  return watchers.flatMap(({ seen, refusal }) => {
    const difference = firstDifference(expected, seen);
    return [
      ...(refusal === undefined ? [] : [`a watcher was refused: ${JSON.stringify(refusal)}`]),
      ...(difference === undefined ? [] : [`a watcher saw otherwise: ${JSON.stringify(difference)}`]),
    ];
  });
}

/** What both replicas list at the end is the log, replayed; nothing belongs to an owner that is gone (I12). */
async function judgeEnd(world: World, replayed: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const orphans = await world.sql<{ name: string }>(
    `SELECT c.name FROM resources c WHERE c.owner_uid IS NOT NULL AND c.deletion_requested_at IS NULL
     AND NOT EXISTS (SELECT 1 FROM resources o WHERE o.uid::text = c.owner_uid::text)`,
  );
  const listed = await Promise.all(
    world.urls.map(async (url) => {
      const caller = restCaller(url, PATIENT.timeoutMs);
      const pages = await Promise.all(CONTENDED_KINDS.map((kind) => caller.list(kind, undefined, 500, "")));
      return new Map(pages.flatMap(({ answers }) => answers.map(({ uid, body }) => [uid, body] as const)));
    }),
  );
  const isSame = (state: ReadonlyMap<string, string>) =>
    state.size === replayed.size && [...state].every(([uid, body]) => replayed.get(uid) === body);
  return [
    ...orphans.map(({ name }) => `${name} belongs to an owner that is gone`),
    ...listed.flatMap((state, i) => (isSame(state) ? [] : [`replica ${i} lists another state than the log's`])),
  ];
}
