import { create } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import {
  type PassReport,
  PassReportSchema,
  PassResult,
  ReportOutcome,
  type ReportResult,
} from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { ApiError, isUnavailable } from "../client/api-error.js";
import type { Connection } from "../client/connection.js";
import { pause, retryDelayMs } from "../client/retry.js";

/** What the server takes in one call: reports, and bytes with room to spare below its 4 MiB. */
const MAX_REPORTS = 1_000;
const MAX_STATUS_BYTES = 2 << 20;
const CALL_TIMEOUT_MS = 10_000;

/** The session whose leases are reported. */
interface ReportingSession {
  readonly id: string;
  readonly signal: AbortSignal;
  endIfUnknown(error: ApiError): void;
}

interface Waiting {
  readonly report: PassReport;
  readonly answered: (result: ReportResult | undefined) => void;
}

/**
 * Sends the reports of one session: all that are ready in one tick go in one call, one call at a time.
 *
 * A call that fails with UNAVAILABLE is sent again unchanged: the server answers STALE to what it has already stored,
 * because a lease token is good for one report (I8). When the session ends, what is left is dropped: nobody wants it.
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

  /** Resolves when the report has been answered or dropped; never rejects. */
  async report(report: PassReport): Promise<void> {
    const result = await this.#submit(report);
    if (result === undefined || result.outcome === ReportOutcome.ACCEPTED) return;
    if (result.outcome === ReportOutcome.STALE) {
      this.#logger.info({ key: report.key, message: result.message }, "report was stale: the lease is somebody else's");
      return;
    }
    // The lease is still ours: say what is wrong in a report that cannot be, so that it is seen and backs off.
    this.#logger.error({ key: report.key, message: result.message }, "report was refused");
    const { key, leaseToken } = report;
    const error = `report refused: ${result.message}`;
    await this.#submit(
      create(PassReportSchema, { ...(key !== undefined && { key }), leaseToken, result: PassResult.ERROR, error }),
    );
  }

  #submit(report: PassReport): Promise<ReportResult | undefined> {
    return new Promise((answered) => {
      this.#waiting.push({ report, answered });
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

  async #send(reports: PassReport[]): Promise<readonly ReportResult[]> {
    const { id: sessionId, signal } = this.#session;
    for (let failures = 0; !signal.aborted; ) {
      try {
        const options = { signal, timeoutMs: CALL_TIMEOUT_MS };
        return (await this.#api.report({ sessionId, reports }, options)).results;
      } catch (error) {
        if (signal.aborted) break;
        const apiError = ApiError.from(error);
        this.#session.endIfUnknown(apiError);
        const mayPass = apiError.code === "DEADLINE_EXCEEDED" || apiError.code === "RESOURCE_EXHAUSTED";
        if (!mayPass && !isUnavailable(apiError)) {
          this.#logger.error({ err: apiError, reports: reports.length }, "reports were refused");
          return [];
        }
        await pause(retryDelayMs(++failures), signal);
      }
    }
    this.#logger.warn({ reports: reports.length }, "reports were dropped: their session has ended");
    return [];
  }
}

/** One at least: a single status that is too large is the server's to refuse. */
function batchLength(waiting: readonly Waiting[]): number {
  let bytes = 0;
  const end = waiting.findIndex(({ report }, i) => {
    bytes += Buffer.byteLength(report.statusJson);
    return i > 0 && (i === MAX_REPORTS || bytes > MAX_STATUS_BYTES);
  });
  return end === -1 ? waiting.length : end;
}
