import { create, toBinary } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import {
  type PassReport,
  PassReportSchema,
  PassResult,
  ReportOutcome,
  type ReportResult,
  ReportResultSchema,
} from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { ApiError, isUnavailable } from "../client/api-error.js";
import type { Connection } from "../client/connection.js";
import { pause, retryDelayMs } from "../client/retry.js";
import { describeError } from "./describe-error.js";

/** What the server takes in one call: reports, and bytes with room to spare below its 4 MiB. */
const MAX_REPORTS = 1_000;
/** Also of one report: what it says has to fit a resource, which is 1 MiB at most. */
const MAX_BYTES = 2 << 20;
const CALL_TIMEOUT_MS = 10_000;

/** The session whose leases are reported. */
interface ReportingSession {
  readonly id: string;
  readonly signal: AbortSignal;
  endIfUnknown(error: ApiError): void;
}

interface Waiting {
  readonly report: PassReport;
  readonly bytes: number;
  readonly answered: (result: ReportResult | undefined) => void;
}

/**
 * Sends the reports of one session: all that are ready in one tick go in one call, one call at a time.
 *
 * A call that fails with UNAVAILABLE is sent again unchanged: the server answers STALE to what it has already stored,
 * because a lease token is good for one report (I8). A call that is refused for good is halved until the report to blame stands
 * alone: no report holds up the others (I11). When the session ends, what is left is dropped: nobody wants it.
 */
export class Reporter {
  readonly #api: Connection["reconcilers"];
  readonly #session: ReportingSession;
  readonly #logger: Logger;
  #waiting: Waiting[] = [];
  #isSending = false;

  constructor(api: Connection["reconcilers"], session: ReportingSession, logger: Logger) {
    this.#api = api;
    this.#session = session;
    this.#logger = logger;
  }

  /** Resolves to the answer when there is one, or undefined when the report was dropped; never rejects. */
  async report(report: PassReport): Promise<ReportResult | undefined> {
    const result = await this.#submit(report);
    const about = { key: report.key, outcome: result?.outcome, message: result?.message };
    switch (result?.outcome) {
      case undefined:
      case ReportOutcome.ACCEPTED:
        break;
      case ReportOutcome.STALE:
        this.#logger.info(about, "report was stale: the lease is somebody else's");
        break;
      case ReportOutcome.INVALID:
        this.#logger.error(about, "report was refused");
        await this.#reportRefusal(report, result.message);
        break;
      default:
        this.#logger.warn(about, "report was answered in a way that this version does not know");
    }
    return result;
  }

  /** The lease is still ours: say what is wrong in a report that cannot be, so that it is seen and backs off. */
  async #reportRefusal({ key, leaseToken }: PassReport, message: string): Promise<void> {
    const error = `report refused: ${message}`;
    await this.#submit(
      create(PassReportSchema, { ...(key !== undefined && { key }), leaseToken, result: PassResult.ERROR, error }),
    );
  }

  /** The server's result, or what it would be; undefined when the report was dropped. */
  async #submit(report: PassReport): Promise<ReportResult | undefined> {
    let bytes: number;
    try {
      bytes = toBinary(PassReportSchema, report).byteLength;
    } catch (error) {
      return invalid(describeError(error)); // a value of another type than declared, which only JavaScript lets through
    }
    // Not sent to be refused: a server may close the connection on a large request, and that looks as if it were away.
    if (bytes > MAX_BYTES) return invalid(`it must be at most ${MAX_BYTES} bytes (got ${bytes})`);
    return new Promise((answered) => {
      this.#waiting.push({ report, bytes, answered });
      if (this.#isSending) return;
      this.#isSending = true;
      setImmediate(() => this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, batchLength(this.#waiting));
      const results = await this.#send(batch.map(({ report }) => report));
      batch.forEach(({ answered }, i) => {
        answered(results[i]);
      });
    }
    this.#isSending = false;
  }

  /** One result per report, in order; none when they were dropped. */
  async #send(reports: PassReport[]): Promise<readonly ReportResult[]> {
    const { id: sessionId, signal } = this.#session;
    for (let failures = 0; !signal.aborted; ) {
      try {
        const options = { signal, timeoutMs: CALL_TIMEOUT_MS };
        return (await this.#api.report({ sessionId, reports }, options)).results;
      } catch (error) {
        const apiError = ApiError.from(error);
        this.#session.endIfUnknown(apiError);
        if (signal.aborted) break;
        if (mayPass(apiError)) await pause(retryDelayMs(++failures), signal);
        else if (reports.length === 1) return [invalid(apiError.message)];
        else {
          const half = Math.ceil(reports.length / 2);
          return [...(await this.#send(reports.slice(0, half))), ...(await this.#send(reports.slice(half)))];
        }
      }
    }
    this.#logger.warn({ reports: reports.length }, "reports were dropped: their session has ended");
    return [];
  }
}

/** Whether the same call may succeed later. RESOURCE_EXHAUSTED also says that a request is too large, for ever. */
function mayPass(error: ApiError): boolean {
  return error.code === "DEADLINE_EXCEEDED" || error.reason === "OVERLOADED" || isUnavailable(error);
}

function invalid(message: string): ReportResult {
  return create(ReportResultSchema, { outcome: ReportOutcome.INVALID, message });
}

function batchLength(waiting: readonly Waiting[]): number {
  let sum = 0;
  const end = waiting.findIndex(({ bytes }, i) => {
    sum += bytes;
    return i === MAX_REPORTS || sum > MAX_BYTES;
  });
  return end === -1 ? waiting.length : end;
}
