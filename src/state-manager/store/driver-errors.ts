import pg from "pg";
import { DomainError } from "../../resource/errors.js";

/** SQLSTATE of an error from the driver; undefined for anything else. */
export function sqlState(error: unknown): string | undefined {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return undefined;
}

/** Name of the violated constraint, when the error names one. */
export function constraintOf(error: unknown): string | undefined {
  if (error instanceof Error && "constraint" in error && typeof error.constraint === "string") return error.constraint;
  return undefined;
}

/** Whether the server answered, and with this error; false when its answer did not come, or the statement was not sent. */
export function isFromServer(error: unknown): boolean {
  return (error instanceof DomainError ? error.cause : error) instanceof pg.DatabaseError;
}

/** The server ends the connection; it may have committed before. */
export function isGoingAway(error: unknown): boolean {
  return /^57P/.test(sqlState(error instanceof DomainError ? error.cause : error) ?? "");
}

/** Deadlock or serialisation failure: the same transaction may succeed when tried again. */
export function isRetryable(error: unknown): boolean {
  const state = sqlState(error);
  return state === "40P01" || state === "40001";
}

/** PostgreSQL cut the transaction off because it took too long: less of it at once may pass. */
export function isCutOff(error: unknown): boolean {
  const state = sqlState(error instanceof DomainError ? error.cause : error);
  return state === "25P03" || state === "25P04" || state === "57014";
}

/** A row has no partition to go to: a check violation that names no constraint. */
export function isPartitionMissing(error: unknown): boolean {
  return sqlState(error) === "23514" && constraintOf(error) === undefined;
}

/** 08 connection, 57P01..5 shutdown, 53300 too many connections, 25006 a standby; 25P03/25P04, 55P03 and 57014 cut off by a timeout of ours. */
const AWAY_STATES = /^(08...|57P0[1-5]|53300|25006|25P0[34]|55P03|57014)$/;
const AWAY_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ENOTFOUND",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "EHOSTUNREACH",
]);
/** The driver raises these without any code when the socket goes or the pool waits too long. */
const AWAY_MESSAGES =
  /Connection terminated|not queryable|Query read timeout|timeout exceeded when trying to connect|Client was closed/;

/** Turns "PostgreSQL is away" into UNAVAILABLE, keeping the original as cause; returns every other error as it is. */
export function translateDriverError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DomainError) return error;
  const code = sqlState(error);
  const isAway =
    code === undefined ? AWAY_MESSAGES.test(error.message) : AWAY_STATES.test(code) || AWAY_CODES.has(code);
  if (!isAway) return error;
  return new DomainError("UNAVAILABLE", "STORE_UNAVAILABLE", "the database is not reachable; retry with back-off", {
    cause: error,
  });
}
