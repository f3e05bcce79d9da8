import { PassResult, ReportOutcome } from "../gen/reconcile/v1/reconciler_service_pb.js";
import type { Call } from "./calls.js";
import type { Stage } from "./stage.js";

/** What happened on a stage, for people: every call with its time, every answered report, the worker's last words. */
export function traceOf({ server, words }: Stage, startedAt: number): string[] {
  const since = (at: number) => `${((at - startedAt) / 1_000).toFixed(3).padStart(7)} s`;
  const calls = server.calls.all.map((call) => ({ at: call.at, text: `${since(call.at)}  ${describe(call)}` }));
  const reports = server.leases.reported.map(({ at, report, outcome }) => {
    const text = `${report.key?.name}: ${PassResult[report.result]} ${report.error}`.trimEnd();
    return { at, text: `${since(at)}    ${text} -> ${ReportOutcome[outcome]}` };
  });
  const lines = [...calls, ...reports].sort((a, b) => a.at - b.at).map(({ text }) => text);
  return [...lines, ...words.map((line) => `worker: ${line}`)];
}

function describe(call: Call): string {
  const { method, at, endedAt, outcome = "open" } = call;
  const took = endedAt === undefined ? "" : ` after ${Math.round(endedAt - at)} ms`;
  return `${method}${factsOf(call)} -> ${outcome}${took}`;
}

function factsOf({ request }: Call): string {
  if ("maxItems" in request) return ` ${request.maxItems}`;
  if ("leaseTokens" in request) return ` [${request.leaseTokens.map((token) => token.slice(0, 4)).join(" ")}]`;
  if ("instanceId" in request) return ` ${request.name} (${request.language})`;
  return "";
}
