import { DomainError, hasReason } from "../../resource/errors.js";
import type { PassReport } from "../../resource/work.js";
import type { CommandSink } from "../store/store.js";
import type { KnownSession, Sessions } from "./sessions.js";
import { validateReport } from "./validate-report.js";
import type { ReportResult } from "./work-service.js";

/** A report as it came: decoded, or the words why it could not be. */
export type IncomingReport = PassReport | { readonly invalid: string };

const STALE: ReportResult = {
  outcome: "STALE",
  message: "the lease is not this session's any more, so nothing was stored; another pass is or will be under way",
};

/** Hands the ends of passes to the commit batch, which checks each lease under its lock and writes them as a group (2.5). */
export class Reports {
  readonly #sink: CommandSink;
  readonly #sessions: Sessions;
  readonly #onAccepted: (sessionId: string, report: PassReport) => void;

  constructor(sink: CommandSink, sessions: Sessions, onAccepted: (sessionId: string, report: PassReport) => void) {
    this.#sink = sink;
    this.#sessions = sessions;
    this.#onAccepted = onAccepted;
  }

  /**
   * One result per report, in order; each report counts on its own. Rejects when the store cannot be asked: sent again,
   * those that did get through are STALE, and nothing happens twice.
   */
  async submit(sessionId: string, reports: readonly IncomingReport[]): Promise<ReportResult[]> {
    const session = await this.#sessions.get(sessionId).catch((error: unknown) => {
      if (hasReason(error, "SESSION_NOT_FOUND")) return undefined;
      throw error;
    });
    // All are awaited before the first failure is thrown: none is left to finish unseen.
    const results = await Promise.allSettled(reports.map((report) => this.#submitOne(session, report)));
    return results.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
  }

  async #submitOne(session: KnownSession | undefined, incoming: IncomingReport): Promise<ReportResult> {
    if ("invalid" in incoming) return { outcome: "INVALID", message: incoming.invalid };
    try {
      const report = validateReport(incoming);
      if (session === undefined) return STALE;
      const { outcome } = await this.#sink.submit({ type: "report", report, session });
      if (outcome === "STALE") return STALE;
      this.#onAccepted(session.sessionId, report);
      return { outcome: "ACCEPTED", message: "" };
    } catch (error) {
      if (!isAboutTheReport(error)) throw error;
      return { outcome: "INVALID", message: error.message };
    }
  }
}

/** Whether sending the same report again would fail again. */
function isAboutTheReport(error: unknown): error is DomainError {
  if (!(error instanceof DomainError)) return false;
  switch (error.code) {
    case "INVALID_ARGUMENT":
    case "NOT_FOUND":
    case "ALREADY_EXISTS":
    case "ABORTED":
    case "FAILED_PRECONDITION":
    case "OUT_OF_RANGE":
    case "PERMISSION_DENIED":
      return true;
    case "RESOURCE_EXHAUSTED":
    case "UNAVAILABLE":
    case "DEADLINE_EXCEEDED":
      return false;
  }
}
