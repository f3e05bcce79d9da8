import { PassResult } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { check, eventually, letPass } from "../check.js";
import { LEASE_MS, type Scenario } from "../stage.js";
import { statusOf } from "../status-of.js";
import { FOREVER } from "../tasks.js";

const GRACE_MS = 5_000;
const END_MS = 10_000;
/** A call that was on its way when the signal came. */
const CROSSING_MS = 400;

/** Checkpoints, and the end of a worker. */
export const drainingScenarios: readonly Scenario[] = [
  {
    name: "sends-checkpoints",
    promise: "sends progress and checkpoint with a renewal of their own, within about a second",
    async run(stage) {
      await stage.begin({ leaseDurationMs: 30_000 });
      const item = stage.offer({ action: "checkpoint", value: "abc", ms: 3_000 });
      const from = await stage.leased(item);
      const saved = () =>
        stage.server.calls.of("renew").find(({ request }) => request.progress.some(isOfItem) && request);
      const isOfItem = ({ leaseToken }: { leaseToken: string }) => leaseToken === item.leaseToken;
      const { at, request } = await eventually(saved, 3_000, "did not send the checkpoint");
      check(at - from <= 1_500, `sent the checkpoint after ${Math.round(at - from)} ms`);
      const [progress, ...more] = request.progress;
      check(more.length === 0, "sent more progress than there was");
      check(request.leaseTokens.includes(item.leaseToken), "sent progress of a lease that it does not list");
      check(progress?.message === "working", `the message was "${progress?.message}", not "working"`);
      const checkpoint = new TextDecoder().decode(progress.checkpoint);
      check(checkpoint === "abc", `the checkpoint was "${checkpoint}", not "abc"`);
      const { report } = await stage.reported(item);
      check(report.result === PassResult.SUCCESS, `the pass was reported as ${PassResult[report.result]}`);
    },
  },
  {
    name: "receives-checkpoints",
    promise: "gives the pass the checkpoint that an earlier holder saved",
    async run(stage) {
      await stage.begin();
      const checkpoint = new TextEncoder().encode("page 7 of ∞");
      const { report } = await stage.reported(stage.offer({ action: "done" }, { checkpoint, progress: "half-way" }));
      const seen = statusOf(report).checkpoint;
      check(seen === "page 7 of ∞", `the pass saw the checkpoint ${JSON.stringify(seen)}`);
    },
  },
  {
    name: "drains",
    promise: "on SIGTERM leases no more, lets passes finish for 5 s, releases the rest, deregisters and exits with 0",
    async run(stage) {
      const { calls } = stage.server;
      await stage.begin({ leaseDurationMs: LEASE_MS });
      const short = stage.offer({ action: "sleep", ms: 2_000 });
      const long = stage.offer(FOREVER);
      await stage.leased(short, long);
      const from = performance.now();
      stage.worker.tellToEnd();
      await letPass(CROSSING_MS);
      const refused = stage.offer({ action: "done" });
      const how = await Promise.race([stage.worker.exited, letPass(END_MS).then(() => undefined)]);
      check(how !== undefined, `still runs ${END_MS} ms after SIGTERM`);
      check(stage.server.leases.of(refused.leaseToken) === undefined, "leased work after SIGTERM");
      const asked = calls.of("lease").some(({ at }) => at > from + CROSSING_MS);
      check(!asked, "asked for work after SIGTERM");
      const [finished, released] = [stage.reportsOf(short)[0], stage.reportsOf(long)[0]];
      check(finished?.report.result === PassResult.SUCCESS, "did not let a pass finish and report its success");
      check(released?.report.result === PassResult.RELEASE, "did not report RELEASE of the pass that did not finish");
      const after = released.at - from;
      check(after >= GRACE_MS - 1_000 && after <= GRACE_MS + 2_500, `released after ${Math.round(after)} ms, not 5 s`);
      const renewals = calls.of("renew").filter(({ at }) => at > from && at < released.at);
      check(renewals.length >= 2, "did not renew its leases while it waited");
      const [end] = calls.of("deregister");
      check(end !== undefined && end.at >= released.at, "did not deregister after its last report");
      const attached = calls
        .of("attach")
        .some(({ endedAt }) => endedAt === undefined || endedAt > end.at - CROSSING_MS);
      check(attached, "ended Attach before it had deregistered");
      check(how === 0, `ended with ${how}, not 0`);
    },
  },
  {
    name: "drains-idle",
    promise: "on SIGTERM without passes deregisters and exits with 0 at once",
    async run(stage) {
      const sessionId = await stage.begin();
      stage.worker.tellToEnd();
      const how = await Promise.race([stage.worker.exited, letPass(3_000).then(() => undefined)]);
      check(how !== undefined, "still runs 3 s after SIGTERM");
      const [end] = stage.server.calls.of("deregister");
      check(end?.request.sessionId === sessionId, "did not deregister");
      check(how === 0, `ended with ${how}, not 0`);
    },
  },
];
