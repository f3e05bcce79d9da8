import { check, eventually, letPass } from "../check.js";
import { noAnswer } from "../fake-server.js";
import { LEASE_MS, type Scenario, type Stage } from "../stage.js";
import { FOREVER } from "../tasks.js";
import { expectWork } from "./sessions.js";

/** When a worker stops trusting its leases. */
const TRUST_MS = LEASE_MS - 1_000;
/** A renewal crosses answers that are on their way, and a worker on a busy machine is slow to send what it has listed. */
const CROSSING_MS = 1_000;

/** How a worker keeps its leases, and when it lets go of them. */
export const renewingScenarios: readonly Scenario[] = [
  {
    name: "renews",
    promise: "renews at least three times per lease duration while it holds leases, twice while it holds none",
    async run(stage) {
      await stage.begin({ leaseDurationMs: LEASE_MS });
      const idleFrom = performance.now();
      await letPass(1.5 * LEASE_MS);
      const item = stage.offer({ action: "sleep", ms: 2 * LEASE_MS });
      const busyFrom = await stage.leased(item);
      const idle = renewals(stage, idleFrom, busyFrom);
      const busyTo = (await stage.reported(item, 3 * LEASE_MS)).at;
      // One less than the time holds: the first may be due as late as an idle worker's next.
      const busy = renewals(stage, busyFrom, busyTo);
      check(busy.count >= 5, `renewed ${busy.count} times while it held a lease for two lease durations`);
      check(busy.gapMs <= TRUST_MS, `${busy.gapMs} ms without a renewal while it held a lease of ${LEASE_MS} ms`);
      check(idle.count >= 2, `renewed ${idle.count} times while idle for one and a half lease durations`);
      check(idle.gapMs <= LEASE_MS, `${idle.gapMs} ms without a renewal while idle, of ${LEASE_MS} ms`);
    },
  },
  {
    name: "lists-what-it-holds",
    promise: "lists in every renewal exactly the leases it holds",
    async run(stage) {
      await stage.begin({ leaseDurationMs: LEASE_MS });
      const items = [600, 1_400, 2_500, 4_000, 800, 1_600, 2_900, 3_500].map((ms) =>
        stage.offer({ action: "sleep", ms }),
      );
      for (const item of items) await stage.reported(item);
      await letPass(LEASE_MS / 2);
      const flaws = stage.server.calls
        .of("renew")
        .flatMap(({ at, request }, i, all) => flawsOf(stage, at, all[i - 1]?.at ?? 0, request.leaseTokens));
      check(flaws.length === 0, `${flaws[0]} (${flaws.length} such)`);
      check(
        stage.server.calls.of("renew").some(({ request }) => request.leaseTokens.length > 1),
        "listed no leases",
      );
    },
  },
  {
    name: "distrusts-in-time",
    promise:
      "stops its passes and stays silent once renewals went unanswered for the lease duration less 1 s, not before",
    async run(stage) {
      const { server } = stage;
      await stage.begin({ leaseDurationMs: LEASE_MS });
      const old = [FOREVER, FOREVER].map((action) => stage.offer(action));
      await stage.leased(...old);
      const answered = () =>
        server.calls.of("renew").find((call) => call.request.leaseTokens.length === 2 && call.endedAt);
      const from = (await eventually(answered, LEASE_MS, "did not renew")).at;
      server.script.renew = noAnswer;
      const early = stage.offer({ action: "sleep", ms: 500 });
      // Ends when the worker may no longer trust its lease, and before the server would give it away.
      const late = stage.offer({ action: "sleep", ms: TRUST_MS + 400 });
      await stage.leased(early, late);
      await stage.reported(early, 1_500);
      await letPass(from + LEASE_MS + 1_000 - performance.now());
      delete server.script.renew;
      const isBack = () => server.calls.of("renew").some(({ at, outcome }) => at > from + LEASE_MS && outcome === "ok");
      await eventually(isBack, 10_000, "did not go on renewing");
      await stage.expectFreeSlots(4, "its passes were not stopped: it did not take four new ones");
      await expectWork(stage);
      const reports = [...old, late].flatMap((item) => stage.reportsOf(item));
      check(reports.length === 0, `${reports.length} passes were reported under leases that could not be trusted`);
    },
  },
  {
    name: "gives-up-lost-leases",
    promise: "stops passes whose leases a renewal names as lost, does not report them, and keeps the others",
    async run(stage) {
      const { server } = stage;
      await stage.begin({ leaseDurationMs: LEASE_MS });
      const lost = [stage.offer(FOREVER), stage.offer({ action: "sleep", ms: LEASE_MS })];
      const finishing = stage.offer({ action: "sleep", ms: 2 * LEASE_MS });
      const kept = stage.offer(FOREVER);
      await stage.leased(...lost, finishing, kept);
      for (const { leaseToken } of lost) server.leases.lose(leaseToken);
      const told = () => lost.every(({ leaseToken }) => server.leases.of(leaseToken)?.over);
      await eventually(told, LEASE_MS, "did not list its leases in a renewal");
      await stage.expectFreeSlots(2, "the passes of lost leases were not stopped: it did not take two new ones");
      await stage.reported(finishing, 2 * LEASE_MS);
      const reports = lost.flatMap((item) => stage.reportsOf(item));
      check(reports.length === 0, `reported ${reports.length} passes whose leases were lost`);
      const listed = server.calls.of("renew").at(-1)?.request.leaseTokens ?? [];
      check(!lost.some(({ leaseToken }) => listed.includes(leaseToken)), "goes on listing leases that are lost");
      check(listed.includes(kept.leaseToken), "gave up a lease that was not lost");
    },
  },
  {
    name: "ends-passes-at-their-deadline",
    promise:
      "ends a pass at its deadline: as an error or in silence, its slot is free and its lease not renewed for long",
    async run(stage) {
      const { server } = stage;
      const deadlineMs = 1_500;
      await stage.begin({ leaseDurationMs: LEASE_MS, passDeadlineMs: deadlineMs });
      const items = Array.from({ length: 4 }, () => stage.offer(FOREVER));
      const from = await stage.leased(...items);
      await letPass(deadlineMs);
      await stage.expectFreeSlots(4, "passes held their slots beyond their deadline of 1500 ms");
      await letPass(2_000);
      const reports = items.flatMap((item) => stage.reportsOf(item));
      const isWrong = reports.some(({ report }) => report.observedGeneration !== undefined || report.error === "");
      check(!isWrong, "a pass past its deadline must be reported as an error with words, or not at all");
      const tokens = new Set(items.map(({ leaseToken }) => leaseToken));
      const isRenewed = ({ request }: { request: { leaseTokens: string[] } }) =>
        request.leaseTokens.some((t) => tokens.has(t));
      const last = server.calls.of("renew").filter(isRenewed).at(-1)?.at ?? 0;
      check(last - from <= deadlineMs + 1_000, `renewed a lease ${Math.round(last - from)} ms after it began`);
      await expectWork(stage);
    },
  },
];

/** How often a worker renewed between two moments, and the longest time without. */
function renewals(stage: Stage, from: number, to: number): { readonly count: number; readonly gapMs: number } {
  const times = stage.server.calls.of("renew").flatMap(({ at }) => (at > from && at < to ? [at] : []));
  const marks = [from, ...times, to];
  const gaps = marks.slice(1).map((at, i) => at - (marks[i] ?? at));
  return { count: times.length, gapMs: Math.round(Math.max(...gaps)) };
}

/** What is wrong with one renewal's list. What has happened since the one before may have crossed it, however long ago that is. */
function flawsOf(stage: Stage, at: number, before: number, tokens: readonly string[]): string[] {
  const { leases } = stage.server;
  const known = Math.min(before, at - CROSSING_MS);
  const missing = leases.all.filter(({ item, since, over }) => {
    const isHeld = since < known && (over === undefined || over.at > at);
    return isHeld && !tokens.includes(item.leaseToken);
  });
  const extra = tokens.filter((token) => {
    const lease = leases.of(token);
    return lease === undefined || (lease.over !== undefined && lease.over.at < known);
  });
  return [
    ...missing.map(({ item }) => `left out the lease of ${item.resource?.key?.name}`),
    ...extra.map((token) => `listed ${leases.of(token)?.item.resource?.key?.name ?? token} after its end`),
  ];
}
