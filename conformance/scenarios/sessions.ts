import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { PassResult } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { check, eventually, letPass } from "../check.js";
import { unavailable } from "../fake-server.js";
import { LEASE_MS, type Scenario, type Stage } from "../stage.js";
import { FOREVER } from "../tasks.js";

/** The longest pause between tries is about 5 s, and the try itself takes a moment. */
export const LONGEST_PAUSE_MS = 6_000;
/** The server takes a worker without Attach for dead after 500 ms of its own end only; a cut may cost a little more. */
const REATTACH_MS = 2_000;

/** How a worker opens its session, stays in it and finds back. */
export const sessionScenarios: readonly Scenario[] = [
  {
    name: "registers",
    promise: "registers once, with its names, kind, concurrency and durations, before anything else",
    async run(stage) {
      await stage.begin({ leaseDurationMs: 7_000, passDeadlineMs: 9_000 });
      const [call, ...more] = stage.server.calls.of("register");
      check(call !== undefined && more.length === 0, `registered ${more.length + 1} times`);
      const { name, instanceId, language, kinds, concurrency, finalizer, leaseDuration, passDeadline } = call.request;
      check(name === "conformance", `the reconciler's name was "${name}", not "conformance"`);
      check(instanceId === stage.instanceId, `the instance was "${instanceId}", not RECONCILE_INSTANCE`);
      check(language !== "", "no language was given");
      const [kind, ...others] = kinds.map(({ resourceGroup, kind }) => `${resourceGroup}/${kind}`);
      check(kind === "conformance/task" && others.length === 0, `registered for ${[kind, ...others].join(", ")}`);
      check(concurrency === 4, `concurrency was ${concurrency}, not 4`);
      check(finalizer === "", `there was a finalizer: "${finalizer}"`);
      const durations = [leaseDuration, passDeadline].map((each) => each && durationMs(each)).join(", ");
      check(durations === "7000, 9000", `lease duration and pass deadline were ${durations}, not 7000, 9000`);
      check(stage.server.calls.all[0]?.method === "register", "something came before the registration");
    },
  },
  {
    name: "starts-before-server",
    promise: "waits for a server that is not up yet, or says UNAVAILABLE to Register, and needs no restart",
    async run(stage) {
      stage.start();
      await letPass(1_500);
      stage.server.script.register = async () => {
        throw unavailable();
      };
      await stage.server.port.open();
      const refused = () => stage.server.calls.of("register").length >= 2;
      await eventually(refused, 20_000, "did not try Register again");
      delete stage.server.script.register;
      await stage.working(undefined, LONGEST_PAUSE_MS);
      await expectWork(stage);
    },
  },
  {
    name: "follows-the-answer",
    promise: "keeps to the concurrency and lease duration in the answer of Register, not to what it asked for",
    async run(stage) {
      stage.server.limits = { concurrency: 2, leaseDuration: durationFromMs(LEASE_MS) };
      await stage.begin({ leaseDurationMs: 30_000 });
      const items = Array.from({ length: 6 }, () => stage.offer({ action: "sleep", ms: 700 }));
      for (const item of items) await stage.reported(item);
      check(stage.server.leases.peak <= 2, `held ${stage.server.leases.peak} leases where 2 were granted`);
      const renewed = () => stage.server.calls.of("renew").length > 0;
      await eventually(renewed, LEASE_MS, "did not renew within the lease duration that was granted");
    },
  },
  {
    name: "registers-again",
    promise: "registers again after SESSION_NOT_FOUND, stops the old passes silently, and works in the new session",
    async run(stage) {
      const before = await stage.begin({ leaseDurationMs: LEASE_MS });
      const old = [FOREVER, FOREVER, { action: "sleep", ms: 4_000 } as const].map((action) => stage.offer(action));
      await stage.leased(...old);
      stage.server.forgetSessions();
      await stage.working(before, LONGEST_PAUSE_MS);
      const items = Array.from({ length: 4 }, () => stage.offer({ action: "done" }));
      for (const item of items) await stage.reported(item);
      await letPass(3_000);
      const late = old.flatMap((item) => stage.reportsOf(item));
      check(late.length === 0, `reported ${late.length} passes of the session that had ended`);
      check(stage.server.calls.of("register").length === 2, "registered more than once more");
    },
  },
  {
    name: "attaches",
    promise: "keeps Attach open, and attaches again when the stream ends, fails or is cut",
    async run(stage) {
      const sessionId = await stage.begin();
      const { server } = stage;
      const open = () => server.calls.of("attach").filter(({ endedAt }) => endedAt === undefined);
      await eventually(() => open().length > 0, REATTACH_MS, "did not attach");
      await letPass(1_500);
      check(server.calls.of("attach").length === 1, "did not keep Attach open");
      const ends = {
        ended: () => server.endAttachments(),
        "failed with UNAVAILABLE": () => server.endAttachments(new ConnectError("stopping", Code.Unavailable)),
        "was cut": () => server.port.cut(),
      };
      for (const [how, end] of Object.entries(ends)) {
        const count = server.calls.of("attach").length;
        end();
        const isBack = () => server.calls.of("attach").length > count && open().length > 0;
        await eventually(isBack, REATTACH_MS, `did not attach again after the stream ${how}`);
      }
      const sessions = new Set(server.calls.of("attach").map(({ request }) => request.sessionId));
      check(sessions.size === 1 && sessions.has(sessionId), "attached to another session");
      check(open().length === 1, `${open().length} Attach streams are open at once`);
      await expectWork(stage);
    },
  },
  {
    name: "survives-a-restart",
    promise: "goes on in its session after a restart of the server: running passes are kept and reported once",
    async run(stage) {
      const sessionId = await stage.begin({ leaseDurationMs: 15_000 });
      const item = stage.offer({ action: "sleep", ms: 800 });
      await stage.leased(item);
      await stage.server.port.close();
      await letPass(2_000);
      await stage.server.port.open();
      const { report } = await stage.reported(item, LONGEST_PAUSE_MS);
      check(report.result === PassResult.SUCCESS, `the pass was reported as ${PassResult[report.result]}`);
      check(stage.reportsOf(item).length === 1, "the pass was reported twice");
      await expectWork(stage);
      const last = stage.server.calls.of("lease").at(-1)?.request.sessionId;
      check(last === sessionId, "gave up a session that the server still knows");
    },
  },
  {
    name: "recovers-from-a-new-server",
    promise: "finds back by itself when the server was away and knows no session any more",
    async run(stage) {
      const before = await stage.begin({ leaseDurationMs: LEASE_MS });
      const old = stage.offer(FOREVER);
      await stage.leased(old);
      await stage.server.port.close();
      stage.server.forgetSessions();
      await letPass(LEASE_MS);
      await stage.server.port.open();
      await stage.working(before, LONGEST_PAUSE_MS);
      await expectWork(stage);
      check(stage.reportsOf(old).length === 0, "reported a pass of the session that was gone");
    },
  },
];

/** The worker does what it is there for. */
export async function expectWork(stage: Stage): Promise<void> {
  const { report } = await stage.reported(stage.offer({ action: "done" }), LONGEST_PAUSE_MS);
  check(report.result === PassResult.SUCCESS, `a pass afterwards was reported as ${PassResult[report.result]}`);
}
