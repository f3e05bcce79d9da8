import { ApiError } from "../client/index.js";
import { EXIT, Failure } from "./exit-codes.js";

/** What is said of an error, and how the command ends. */
export interface FailureDescription {
  /** Never a stack. */
  readonly text: string;
  readonly exitCode: number;
  readonly problems?: readonly string[];
}

/** Reads whatever a command threw. */
export function describeFailure(error: unknown): FailureDescription {
  if (error instanceof Failure) return { text: error.message, exitCode: error.exitCode, problems: error.problems };
  if (error instanceof ApiError) {
    return { text: apiErrorText(error), exitCode: isUnreachable(error) ? EXIT.unreachable : EXIT.failed };
  }
  return { text: error instanceof Error ? error.message : String(error), exitCode: EXIT.failed };
}

function isUnreachable({ code, reason }: ApiError): boolean {
  return code === "UNAVAILABLE" || reason === "NO_SERVER" || reason === "WRONG_SERVER";
}

/** The server's own words, and what to do where they are the transport's. */
function apiErrorText({ message, reason, code }: ApiError): string {
  const words = message.trim() || `the server answered ${code} and no message`;
  if (reason === "NO_SERVER") {
    return `${words}; start one with "reconcile dev", or name another with --server, RECONCILE_SERVER or "reconcile config set-context"`;
  }
  if (reason === "CONNECTION_LOST") return `the connection to the server was lost (${words}); try again`;
  if (code === "UNIMPLEMENTED") return `${words}; the server is older than this command line: update it`;
  return words;
}
