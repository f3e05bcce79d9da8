import pg from "pg";
import { DomainError } from "../../resource/errors.js";
import { UnfitDatabaseError } from "./unfit-database.js";

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
  return originalOf(error) instanceof pg.DatabaseError;
}

/**
 * An error that PostgreSQL may send after the commit: it shuts down, or ends in a panic because it cannot write or flush its log, which may
 * hold the commit by then. Every other error comes instead of the commit.
 */
export function mayFollowCommit(error: unknown): boolean {
  return /^(53|57P|58|XX)/.test(sqlState(originalOf(error)) ?? "");
}

/** Deadlock or serialisation failure: the same transaction may succeed when tried again. */
export function isRetryable(error: unknown): boolean {
  const state = sqlState(originalOf(error));
  return state === "40P01" || state === "40001";
}

/** PostgreSQL cut the transaction off because it took too long: less of it at once may pass. */
export function isCutOff(error: unknown): boolean {
  const state = sqlState(originalOf(error));
  return state === "25P03" || state === "25P04" || state === "57014";
}

/** A row has no partition to go to: a check violation that names no constraint. */
export function isPartitionMissing(error: unknown): boolean {
  return sqlState(error) === "23514" && constraintOf(error) === undefined;
}

/** The server has no room, or cannot use its files: writes fail until an operator makes room, while reads and small writes may pass. */
export function isOutOfRoom(error: unknown): boolean {
  return /^(53[12]|58)/.test(sqlState(originalOf(error)) ?? "");
}

/** Nobody answers, or PostgreSQL is starting or stopping. */
function isAway(error: unknown): boolean {
  return error instanceof DomainError && error.message === AWAY;
}

/** What the driver or PostgreSQL said, for the log and for operators; never empty. */
export function wordsOf(error: unknown): string {
  const original = originalOf(error);
  // Node tries every address of a host, and its error for all of them has no message.
  const [first] = original instanceof AggregateError ? original.errors : [original];
  return first instanceof Error && first.message !== "" ? first.message : String(first);
}

/** What keeps PostgreSQL from its work, for the operator who started the server, in one line. It may name the address. */
export function problemOf(error: unknown): string {
  return problemIn(error, wordsOf(error));
}

/** The same for callers of the API, so without the address: `connect ECONNREFUSED`. */
export function publicProblemOf(error: unknown): string {
  const original = originalOf(error);
  const [first] = original instanceof AggregateError ? original.errors : [original];
  const isSystemError = first instanceof Error && "syscall" in first && "code" in first;
  return problemIn(error, isSystemError ? `${first.syscall} ${first.code}` : wordsOf(error));
}

function problemIn(error: unknown, words: string): string {
  const translated = translateDriverError(error);
  if (isAway(translated)) return `PostgreSQL does not answer (${words})`;
  return translated instanceof Error ? translated.message : String(translated);
}

const AWAY = "the database is not reachable; retry with back-off";
const TOO_SLOW = "the database took too long and the transaction was rolled back; retry with back-off";
/** Of a standby, and of a primary that was made read-only. */
export const READ_ONLY =
  "the database is read-only (a standby, or default_transaction_read_only is on): writes are refused until the operator makes it writable; retry with back-off";
const POOLER =
  "the database session lost what was prepared in it: a transaction pooler stands before PostgreSQL; the operator must name PostgreSQL itself in DATABASE_URL";
const SHORT_OF_RESOURCES = "the database is out of resources; retry with back-off, the operator must make room";
const FILE_TROUBLE =
  "the database cannot use its files; retry with back-off, the operator finds the cause in PostgreSQL's log";

/**
 * What a caller is told, by SQLSTATE: the longest beginning counts. All of these are UNAVAILABLE: the statement had no effect (a COMMIT
 * that was cut off apart, see `mayFollowCommit`) and may pass later. Every other state is a fault of ours or of the data, and INTERNAL:
 *
 * - 22, 23, 42 (data, constraints, syntax): a statement that is wrong, or a case that its caller knows and handles.
 * - 0A, 54 (not supported, limits of PostgreSQL): will not pass when it is repeated. One 0A is different: see `isStalePlan`.
 * - 25 apart from those below (transaction state): statements in the wrong order.
 * - XX (errors of PostgreSQL itself, damaged data): repeating does not help; the log has the details.
 */
const UNAVAILABLE_STATES: Readonly<Record<string, string>> = {
  "08": AWAY, // connection
  "25006": READ_ONLY,
  "25P03": TOO_SLOW, // idle in transaction
  "25P04": TOO_SLOW, // transaction_timeout
  "26": POOLER, // unknown prepared statement
  "28": "the database refuses this server's login; the operator must correct DATABASE_URL or pg_hba.conf",
  "3D": "the database does not exist any more; the operator must restore it or correct DATABASE_URL",
  "40": "the transaction collided with others, also when it was repeated; retry with back-off",
  "42501":
    "this server's role lacks a right on the database; the operator must make it the owner of the store's tables",
  "42P05": POOLER, // prepared twice
  "53": SHORT_OF_RESOURCES,
  "53100": "the disk of the database is full; retry with back-off, the operator must make room",
  "53200": "the database is out of memory; retry with back-off, the operator must make room",
  "53300": "the database takes no more connections; retry with back-off",
  "55": "the database is busy with something that excludes this statement, for example a lock that is held; retry with back-off",
  "57": AWAY, // shutdown, start, crash of another backend
  "57014": TOO_SLOW, // cancelled, statement_timeout
  "58": FILE_TROUBLE,
};

/** The driver raises these without any code when the socket goes or the pool waits too long. */
const AWAY_MESSAGES =
  /Connection terminated|not queryable|Query read timeout|timeout exceeded when trying to connect|timeout expired|Client was closed/;

/** Turns what passes by itself or by an operator's hand into UNAVAILABLE, keeping the original as cause; returns every other error as it is. */
export function translateDriverError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DomainError) return error;
  const message = error instanceof UnfitDatabaseError ? error.message : unavailableMessage(error);
  return message === undefined ? error : unavailable(message, error);
}

/** UNAVAILABLE for a reason that lies in PostgreSQL. */
export function unavailable(message: string, cause?: unknown): DomainError {
  return new DomainError("UNAVAILABLE", "STORE_UNAVAILABLE", message, cause === undefined ? {} : { cause });
}

function unavailableMessage(error: Error): string | undefined {
  if (!(error instanceof pg.DatabaseError)) return isLostConnection(error) ? AWAY : undefined;
  if (isStalePlan(error)) return "the database schema was changed meanwhile; retry";
  const state = error.code ?? "";
  return UNAVAILABLE_STATES[state] ?? UNAVAILABLE_STATES[state.slice(0, 2)];
}

/** Errors of the operating system have a call (`connect`, `read`, `getaddrinfo`); Node's combined one for several addresses has a list. */
function isLostConnection(error: Error): boolean {
  return "syscall" in error || error instanceof AggregateError || AWAY_MESSAGES.test(error.message) || isReset(error);
}

/** TLS reports a lost socket without the call. */
function isReset(error: Error): boolean {
  return sqlState(error) === "ECONNRESET" || sqlState(error) === "EPIPE";
}

/** A newer replica has changed the table behind a prepared statement: on a new connection it is prepared anew. */
function isStalePlan({ code, routine }: pg.DatabaseError): boolean {
  return code === "0A000" && routine === "RevalidateCachedQuery";
}

/**
 * The error of a connection that could not be made: `translateDriverError`, or UnfitDatabaseError when trying again is no use.
 * Whatever cannot be told apart is one: an operator has to look at it.
 */
export function connectError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DomainError || error instanceof UnfitDatabaseError) return error;
  const words = wordsOf(error);
  const state = error instanceof pg.DatabaseError ? (error.code ?? "") : "";
  const unfit = (message: string) => new UnfitDatabaseError(message, { cause: error });
  if (state.startsWith("28"))
    return unfit(`PostgreSQL refuses the login (${words}): correct DATABASE_URL or pg_hba.conf`);
  if (state === "3D000") return unfit(`${words}: create it (createdb), or correct the name in DATABASE_URL`);
  if (state === "42501") return unfit(`PostgreSQL refuses the session (${words}): grant the role that right`);
  if (state === "42704") {
    return unfit(
      `PostgreSQL does not know a setting of the session (${words}): versions 17 and 18 are supported; upgrade it, or correct the options in DATABASE_URL`,
    );
  }
  if (state === "08P01") {
    return unfit(
      `what DATABASE_URL names refuses the session settings (${words}): a connection pooler cannot be used, name PostgreSQL itself`,
    );
  }
  const translated = translateDriverError(error);
  return translated instanceof DomainError ? translated : unfit(`cannot connect (${words}): correct DATABASE_URL`);
}

/** The error of a store that could not be opened: UnfitDatabaseError when trying again is no use, otherwise `translateDriverError`. */
export function openError(error: unknown): unknown {
  let original = originalOf(error);
  if (original instanceof UnfitDatabaseError) return original;
  // node-pg-migrate puts an error of its own around the driver's.
  while (original instanceof Error && original.cause instanceof Error) original = original.cause;
  const translated = error instanceof DomainError ? error : translateDriverError(original);
  switch (sqlState(original)) {
    case "42501":
      return new UnfitDatabaseError(
        `the role of DATABASE_URL lacks a right (${wordsOf(original)}): make it the owner of the database (ALTER DATABASE … OWNER TO …) and of the store's tables`,
        { cause: original },
      );
    case "26000":
    case "42P05":
      return new UnfitDatabaseError(POOLER, { cause: original });
    default:
      return translated instanceof DomainError ? translated : error;
  }
}

/** The driver's error behind one of ours. */
function originalOf(error: unknown): unknown {
  return error instanceof DomainError && error.cause !== undefined ? error.cause : error;
}
