import { ApiError, isUnavailable } from "../client/index.js";
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
    return { text: apiErrorText(error), exitCode: isUnavailable(error) ? EXIT.unreachable : EXIT.failed };
  }
  return { text: error instanceof Error ? error.message : String(error), exitCode: EXIT.failed };
}

/** The server's own words, and what to do where they are the transport's. */
function apiErrorText(error: ApiError): string {
  const words = error.message.trim();
  if (error.reason === "CONNECTION_LOST") return `the connection to the server was lost (${words}); try again`;
  if (error.code === "UNIMPLEMENTED") return `${words}; the server is older than this command line: update it`;
  return words;
}
