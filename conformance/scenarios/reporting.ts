import { create, equals } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  ConditionStatus,
  type PassReport,
  PassReportSchema,
  PassResult,
  ReportOutcome,
  ReportResponseSchema,
} from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { check, eventually, letPass } from "../check.js";
import { unavailable } from "../fake-server.js";
import { LEASE_MS, type Scenario, type Stage } from "../stage.js";
import { statusOf } from "../status-of.js";
import { FOREVER } from "../tasks.js";
import { expectWork } from "./sessions.js";

const QUIET_MS = 2_000;

/** How a worker tells what became of its passes. */
export const reportingScenarios: readonly Scenario[] = [
  {
    name: "reports-success",
    promise: "reports a finished pass once: key, token, status, the generation it saw, condition, attempt",
    async run(stage) {
      await stage.begin();
      const item = stage.offer({ action: "done" }, { attempt: 3 });
      const { report } = await stage.reported(item);
      expectResult(report, PassResult.SUCCESS);
      const { key, generation } = item.resource ?? {};
      check(report.key?.name === key?.name && report.key?.namespace === key?.namespace, "the key was another one");
      check(
        report.key?.kind === key?.kind && report.key?.resourceGroup === key?.resourceGroup,
        "the kind was another one",
      );
      check(report.observedGeneration === generation, `observed ${report.observedGeneration}, not ${generation}`);
      expectStatus(report, { generation: 3, attempt: 3, checkpoint: "" });
      const ready = report.conditions.find(({ type }) => type === "Ready");
      const isRight = ready?.status === ConditionStatus.TRUE && ready.reason === "Done" && ready.message === "done";
      check(isRight, `the condition Ready was ${ready ? JSON.stringify(ready) : "missing"}`);
      await letPass(1_000);
      check(stage.reportsOf(item).length === 1, "reported more than once");
    },
  },
  {
    name: "reports-errors",
    promise: "reports a failed pass as ERROR with its words",
    async run(stage) {
      await stage.begin();
      const { report } = await stage.reported(stage.offer({ action: "fail", error: "boom 7" }));
      expectResult(report, PassResult.ERROR);
      check(report.error.includes("boom 7"), `the error was "${report.error}", not "boom 7"`);
      check(report.observedGeneration === undefined, "a failed pass has observed no generation");
    },
  },
  {
    name: "reports-requeue",
    promise: "reports a pass that wants to come back as REQUEUE_AFTER with its time and status",
    async run(stage) {
      await stage.begin();
      const { report } = await stage.reported(stage.offer({ action: "requeue", afterMs: 1_500 }));
      expectResult(report, PassResult.REQUEUE_AFTER);
      const afterMs = report.requeueAfter && durationMs(report.requeueAfter);
      check(afterMs === 1_500, `requeue_after was ${afterMs} ms, not 1500`);
      expectStatus(report, { generation: 3, attempt: 1, checkpoint: "" });
    },
  },
  {
    name: "outlives-panics",
    promise: "reports a pass that panics as ERROR; other passes and the process go on",
    async run(stage) {
      await stage.begin();
      const other = stage.offer({ action: "sleep", ms: 1_000 });
      await stage.leased(other);
      const panics = [stage.offer({ action: "panic" }), stage.offer({ action: "panic" })];
      for (const item of panics) {
        const { report } = await stage.reported(item);
        expectResult(report, PassResult.ERROR);
        check(report.error !== "", "the error says nothing");
      }
      expectResult((await stage.reported(other)).report, PassResult.SUCCESS);
      await expectWork(stage);
      check(stage.server.calls.of("register").length === 1, "lost its session");
    },
  },
  {
    name: "drops-stale-reports",
    promise: "takes STALE for an answer: no retry, and the lease is listed no more",
    async run(stage) {
      await stage.begin({ leaseDurationMs: LEASE_MS });
      answerFirst(stage, ReportOutcome.STALE);
      stage.offer(FOREVER); // so that there is something to list
      const item = stage.offer({ action: "done" });
      const { at } = await stage.reported(item);
      await letPass(QUIET_MS);
      check(stage.reportsOf(item).length === 1, `reported ${stage.reportsOf(item).length} times after STALE`);
      const later = () => stage.server.calls.of("renew").filter((call) => call.at > at + 400);
      await eventually(() => later().length > 0, LEASE_MS, "does not renew any more");
      const isListed = later().some(({ request }) => request.leaseTokens.includes(item.leaseToken));
      check(!isListed, "goes on listing a lease whose report was stale");
      await expectWork(stage);
    },
  },
  {
    name: "turns-invalid-into-error",
    promise: "answers INVALID with one ERROR report that names the reason, under the same lease",
    async run(stage) {
      await stage.begin();
      answerFirst(stage, ReportOutcome.INVALID, "status is not to its liking");
      const item = stage.offer({ action: "done" });
      const second = () => stage.reportsOf(item)[1];
      const { report } = await eventually(second, 5_000, "did not report the error that INVALID is");
      expectResult(report, PassResult.ERROR);
      check(report.error.includes("status is not to its liking"), `the error was "${report.error}"`);
      await letPass(1_000);
      check(stage.reportsOf(item).length === 2, `reported ${stage.reportsOf(item).length} times`);
      await expectWork(stage);
    },
  },
  {
    name: "retries-reports",
    promise:
      "repeats a report unchanged after UNAVAILABLE and DEADLINE_EXCEEDED until it is answered, and renews meanwhile",
    async run(stage) {
      await stage.begin({ leaseDurationMs: LEASE_MS });
      const sent: PassReport[] = [];
      const refusals = [
        unavailable(),
        new ConnectError("too slow", Code.DeadlineExceeded),
        unavailable(),
        unavailable(),
      ];
      stage.server.script.report = async ({ request }, honest) => {
        sent.push(...request.reports);
        const refusal = refusals.shift();
        if (refusal !== undefined) throw refusal;
        return honest();
      };
      const item = stage.offer({ action: "done" });
      const { outcome, at } = await stage.reported(item, 15_000);
      check(outcome === ReportOutcome.ACCEPTED, `the report ended as ${ReportOutcome[outcome]}`);
      expectUnchanged(sent);
      await letPass(1_000);
      check(sent.length === 5, `sent ${sent.length} times where the 5th was answered`);
      const since = stage.server.leases.of(item.leaseToken)?.since ?? 0;
      const between = stage.server.calls.of("renew").filter((call) => call.at > since + 100 && call.at < at);
      const isListed = between.every(({ request }) => request.leaseTokens.includes(item.leaseToken));
      check(isListed, "does not renew the lease of a report that is still to be answered");
    },
  },
  {
    name: "retries-cut-reports",
    promise: "repeats a report unchanged when its connection breaks: it is accepted exactly once",
    async run(stage) {
      await stage.begin({ leaseDurationMs: 10_000 });
      const sent: PassReport[] = [];
      let isCut = false;
      // Lost on the way there, then on the way back: the third finds its lease used up.
      stage.server.script.report = async ({ request }, honest) => {
        sent.push(...request.reports);
        if (sent.length === 2) await honest();
        if (sent.length <= 2) {
          isCut = true;
          stage.server.port.cut();
          throw unavailable();
        }
        return honest();
      };
      const item = stage.offer({ action: "done" });
      const answered = () => stage.reportsOf(item).length >= 2;
      await eventually(answered, 15_000, () => (isCut ? `reported ${sent.length} times` : "did not report"));
      expectUnchanged(sent);
      await letPass(QUIET_MS);
      const outcomes = stage.reportsOf(item).map(({ outcome }) => ReportOutcome[outcome]);
      check(outcomes.join() === "ACCEPTED,STALE", `the server saw ${outcomes.join(", ")}, not ACCEPTED, STALE`);
      await expectWork(stage);
      check(stage.server.calls.of("register").length === 1, "gave up a session that the server still knows");
    },
  },
];

function expectResult({ result, error }: PassReport, expected: PassResult): void {
  const words = error === "" ? "" : ` (${error})`;
  check(result === expected, `reported ${PassResult[result]}${words}, not ${PassResult[expected]}`);
}

function expectStatus(report: PassReport, expected: Readonly<Record<string, unknown>>): void {
  const status = statusOf(report);
  for (const [name, value] of Object.entries(expected)) {
    check(status[name] === value, `status.${name} was ${JSON.stringify(status[name])}, not ${JSON.stringify(value)}`);
  }
}

function expectUnchanged([first, ...others]: readonly PassReport[]): void {
  const isSame = others.every((each) => equals(PassReportSchema, each, first ?? each));
  check(isSame, "a repeated report differed from the first");
}

/** The first report gets this outcome, all others an honest one. */
function answerFirst({ server }: Stage, outcome: ReportOutcome, message = ""): void {
  server.script.report = async ({ request }, honest) => {
    if (server.leases.reported.length > 0) return honest();
    for (const report of request.reports) server.leases.settle(request.sessionId, report, outcome);
    return create(ReportResponseSchema, { results: request.reports.map(() => ({ outcome, message })) });
  };
}
