import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { pino } from "pino";
import { expect, it } from "vitest";
import { ErrorDetailSchema } from "../../gen/reconcile/v1/error_pb.js";
import {
  type PassReport,
  PassReportSchema,
  PassResult,
  ReportOutcome,
} from "../../gen/reconcile/v1/reconciler_service_pb.js";
import type { Connection } from "../../src/client/connection.js";
import { Reporter } from "../../src/controlloop/reporter.js";

type Answer = (reports: readonly PassReport[]) => ConnectError | undefined;

/** A reporter whose calls fail as `answer` says, and the tokens that were accepted, call by call. */
function setUp(answer: Answer) {
  const accepted: string[][] = [];
  const api = {
    async report({ reports }: { readonly reports: readonly PassReport[] }) {
      const error = answer(reports);
      if (error !== undefined) throw error;
      accepted.push(reports.map(({ leaseToken }) => leaseToken));
      return { results: reports.map(() => ({ outcome: ReportOutcome.ACCEPTED, message: "" })) };
    },
  };
  const ended = new AbortController();
  const session = { id: "s", signal: ended.signal, endIfUnknown: () => {} };
  // The reporter calls `report` only.
  const reporter = new Reporter(api as unknown as Connection["reconcilers"], session, pino({ level: "silent" }));
  return { reporter, accepted, end: () => ended.abort() };
}

const done = (leaseToken: string, statusJson = "") =>
  create(PassReportSchema, { leaseToken, result: PassResult.SUCCESS, statusJson });

it("finds the report to blame for a refused call by halving, and reports an error in its place", async () => {
  const errors: string[] = [];
  const { reporter, accepted } = setUp((reports) => {
    errors.push(...reports.filter(({ result }) => result === PassResult.ERROR).map(({ error }) => error));
    const isBad = reports.some(({ leaseToken, result }) => leaseToken === "bad" && result === PassResult.SUCCESS);
    return isBad ? new ConnectError("message is larger than 4 MiB", Code.ResourceExhausted) : undefined;
  });
  await Promise.all(["a", "b", "bad", "c", "d"].map((token) => reporter.report(done(token))));
  expect(accepted.flat().sort()).toEqual(["a", "b", "bad", "c", "d"]);
  expect(errors).toEqual(["report refused: message is larger than 4 MiB"]);
});

it("sends the same call again while the server is overloaded", async () => {
  let calls = 0;
  const detail = { desc: ErrorDetailSchema, value: { reason: "OVERLOADED" } };
  const { reporter, accepted } = setUp((reports) => {
    expect(reports).toHaveLength(2);
    return ++calls < 3 ? new ConnectError("busy", Code.ResourceExhausted, undefined, [detail]) : undefined;
  });
  await Promise.all([reporter.report(done("a")), reporter.report(done("b"))]);
  expect(accepted).toEqual([["a", "b"]]);
});

it("counts all of a report for the size of a call", async () => {
  const { reporter, accepted } = setUp(() => undefined);
  const large = "x".repeat(1_100_000);
  await Promise.all([
    reporter.report(done("status", JSON.stringify(large))),
    reporter.report(create(PassReportSchema, { leaseToken: "error", result: PassResult.ERROR, error: large })),
    reporter.report(create(PassReportSchema, { leaseToken: "annotation", annotations: { a: { value: large } } })),
    reporter.report(create(PassReportSchema, { leaseToken: "condition", conditions: [{ message: large }] })),
  ]);
  expect(accepted).toEqual([["status"], ["error"], ["annotation"], ["condition"]]);
});

it("does not try for ever to send what cannot be encoded", async () => {
  const { reporter, accepted } = setUp(() => undefined);
  // What JavaScript lets a reconciler set as the type of a condition.
  const odd = create(PassReportSchema, {
    leaseToken: "odd",
    conditions: [{ type: Symbol("Ready") as unknown as string }],
  });
  await Promise.all([reporter.report(odd), reporter.report(done("a"))]);
  expect(accepted.flat().sort()).toEqual(["a", "odd"]);
});

it("drops what is left when the session ends", async () => {
  const { reporter, accepted, end } = setUp(() => {
    end();
    return new ConnectError("away", Code.Unavailable);
  });
  await Promise.all([reporter.report(done("a")), reporter.report(done("b"))]);
  expect(accepted).toEqual([]);
});
