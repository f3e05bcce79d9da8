import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { PassResult, type WorkReason } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { check, eventually, letPass } from "../check.js";
import { unavailable } from "../fake-server.js";
import { LEASE_MS, type Scenario } from "../stage.js";
import { addUnknownFields } from "../unknown-fields.js";
import { expectWork, LONGEST_PAUSE_MS } from "./sessions.js";

const BACKOFF_MS = 9_000;
const HOUR_MS = 3_600_000;

/** How a worker asks for work. */
export const leasingScenarios: readonly Scenario[] = [
  {
    name: "concurrency",
    promise: "never holds more leases than its concurrency, and uses all of it",
    async run(stage) {
      await stage.begin();
      const items = Array.from({ length: 20 }, () => stage.offer({ action: "sleep", ms: 300 }));
      for (const item of items) await stage.reported(item, 15_000);
      const { peak } = stage.server.leases;
      check(peak <= 4, `held ${peak} leases at once: a worker asks for no more than it has free`);
      check(peak === 4, `held ${peak} leases at most while 20 tasks were due: passes do not run side by side`);
      const twice = items.filter((item) => stage.reportsOf(item).length !== 1);
      check(twice.length === 0, `${twice.length} of 20 tasks were reported more than once`);
    },
  },
  {
    name: "lease-back-off",
    promise: "backs off while Lease is UNAVAILABLE: soon at first, then growing, never above 5 s, running passes go on",
    async run(stage) {
      await stage.begin({ leaseDurationMs: LEASE_MS });
      const running = stage.offer({ action: "sleep", ms: 4_000 });
      await stage.leased(running);
      stage.server.script.lease = async () => {
        throw unavailable();
      };
      // One call may still wait for work with an honest server behind it: this gives it something to do.
      stage.offer({ action: "done" });
      const { calls } = stage.server;
      const from = calls.of("lease").length;
      await letPass(BACKOFF_MS);
      const tries = calls.of("lease").filter(({ outcome }) => outcome === "Unavailable");
      const pauses = tries.slice(1).map(({ at }, i) => at - (tries[i]?.endedAt ?? at));
      const words = `pauses between tries: ${pauses.map((ms) => Math.round(ms)).join(", ")} ms`;
      check(calls.of("lease").length > from && tries.length >= 3, `tried ${tries.length} times in 9 s`);
      check(tries.length <= 40, `tried ${tries.length} times in 9 s: that is no back-off`);
      check((pauses[0] ?? 0) <= 1_500, `the first retry came late; ${words}`);
      check(Math.max(...pauses) <= LONGEST_PAUSE_MS, `waited too long; ${words}`);
      const grows = Math.max(...pauses.slice(-3)) >= 2 * Math.min(...pauses.slice(0, 2));
      check(grows, `the pauses do not grow; ${words}`);
      const { report } = await stage.reported(running);
      check(report.result === PassResult.SUCCESS, `the running pass was reported as ${PassResult[report.result]}`);
      delete stage.server.script.lease;
      await expectWork(stage);
    },
  },
  {
    name: "tolerates-the-unknown",
    promise: "ignores fields it does not know and takes an unknown reason (99) for unspecified",
    async run(stage) {
      const { script } = stage.server;
      script.register = async (_, honest) => addUnknownFields(await honest());
      script.lease = async (_, honest) => addUnknownFields(await honest());
      script.renew = async (_, honest) => addUnknownFields(await honest());
      script.report = async (_, honest) => addUnknownFields(await honest());
      await stage.begin({ leaseDurationMs: LEASE_MS });
      // A server of a later version has reasons that this program does not know.
      const reason = 99 as WorkReason;
      const items = [
        stage.offer({ action: "sleep", ms: 1_500 }, { reason }),
        stage.offer({ action: "done" }, { reason }),
      ];
      for (const item of items) {
        const { report } = await stage.reported(item);
        check(report.result === PassResult.SUCCESS, `the pass was reported as ${PassResult[report.result]}`);
      }
      await eventually(() => stage.server.calls.of("renew").length >= 2, 6_000, "did not renew");
      check(stage.server.calls.of("register").length === 1, "gave up its session");
    },
  },
  {
    name: "own-clock",
    promise: "counts a pass's deadline on its own clock: a server whose clock is an hour behind costs nothing",
    async run(stage) {
      await stage.begin({ passDeadlineMs: 20_000 });
      const deadline = timestampFromMs(Date.now() - HOUR_MS);
      const { report } = await stage.reported(stage.offer({ action: "sleep", ms: 500 }, { deadline }));
      check(report.result === PassResult.SUCCESS, `the pass was reported as ${PassResult[report.result]}`);
    },
  },
];
