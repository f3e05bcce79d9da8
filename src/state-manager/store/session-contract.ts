import type pg from "pg";
import { READ_ONLY, unavailable } from "./driver-errors.js";
import { UnfitDatabaseError } from "./unfit-database.js";

/**
 * The settings of every session, with their values as PostgreSQL shows them. They are sent as start-up options, which count for more
 * than those of a role or a database and cost no statement.
 *
 * The timeouts bound every transaction: a paused replica must not block the log for longer (2.5). Every statement of ours is a walk
 * of indexes; a young table has no statistics yet, and a plan made for it then must not scan it when it has grown. So one plan is
 * as good as the next, while making a new one took half of what PostgreSQL spends on a single write: whatever array it is given is
 * shorter or longer than it guessed.
 */
export const PINNED: ReadonlyMap<string, string> = new Map([
  ["lock_timeout", "3s"],
  ["idle_in_transaction_session_timeout", "3s"],
  ["transaction_timeout", "5s"],
  ["statement_timeout", "10s"],
  ["idle_session_timeout", "0"],
  ["default_transaction_isolation", "read committed"],
  ["synchronous_commit", "on"],
  ["enable_seqscan", "off"],
  ["enable_hashjoin", "off"],
  ["enable_mergejoin", "off"],
  ["enable_nestloop", "on"],
  ["enable_indexscan", "on"],
  ["enable_bitmapscan", "on"],
  ["jit", "off"],
  ["plan_cache_mode", "force_generic_plan"],
  // How values are written and read.
  ["client_encoding", "UTF8"],
  ["datestyle", "ISO, MDY"],
  ["timezone", "UTC"],
  ["intervalstyle", "postgres"],
  ["array_nulls", "on"],
  ["bytea_output", "hex"],
  ["extra_float_digits", "1"],
  ["standard_conforming_strings", "on"],
  // Would leave rows out without a word: these fail instead (row_security), or find all (the other).
  ["row_security", "off"],
  ["gin_fuzzy_search_limit", "0"],
  // An expected error must not end the session.
  ["exit_on_error", "off"],
]);

/** Needed, but only a superuser may set it. */
const REPLICATION_ROLE = "session_replication_role";

/** `transaction_timeout` came with it. */
const OLDEST_VERSION = 17;

/** A row of `LOOK`. */
interface SessionFacts {
  readonly pid: number;
  readonly version: string;
  readonly encoding: string;
  readonly is_standby: boolean;
  /** In the order of `NAMES`; null: unknown to this PostgreSQL. */
  readonly settings: readonly (string | null)[];
}

const NAMES = [...PINNED.keys(), REPLICATION_ROLE];

const LOOK = `
  SELECT pg_backend_pid() AS pid, current_setting('server_version') AS version, current_setting('server_encoding') AS encoding,
    pg_is_in_recovery() AS is_standby,
    ARRAY[${NAMES.map((name) => `current_setting('${name}', true)`).join(", ")}] AS settings`;

/** The session, after it was found fit. */
export interface VerifiedSession {
  /** False: what was connected to is not PostgreSQL itself, but something that passes statements on. */
  readonly isDirect: boolean;
}

/**
 * Looks at a connection that was just made, in one statement. Throws UnfitDatabaseError, or DomainError UNAVAILABLE for a standby: it may
 * be promoted, and must not be read from, because it may be behind.
 */
export async function verifySession(client: pg.ClientBase): Promise<VerifiedSession> {
  const { rows } = await client.query<SessionFacts>(LOOK);
  const [facts] = rows;
  if (facts === undefined) throw new UnfitDatabaseError("cannot connect (no answer): correct DATABASE_URL");
  refuseOldVersion(facts.version);
  if (facts.encoding !== "UTF8") {
    throw new UnfitDatabaseError(
      `the database has the encoding ${facts.encoding}, which cannot hold every text: make one with CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0, and name that in DATABASE_URL`,
    );
  }
  refuseSettings(new Map(NAMES.map((name, i) => [name, facts.settings[i] ?? null])));
  if (facts.is_standby) throw unavailable(READ_ONLY);
  // Sent with the start-up of every connection; a pooler sends one of its own.
  return { isDirect: !("processID" in client) || client.processID === facts.pid };
}

function refuseOldVersion(version: string): void {
  if (Number.parseInt(version, 10) >= OLDEST_VERSION) return;
  throw new UnfitDatabaseError(
    `PostgreSQL ${version} is too old, 17 and 18 are supported: upgrade it (pg_upgrade), or name another server in DATABASE_URL`,
  );
}

function refuseSettings(settings: ReadonlyMap<string, string | null>): void {
  for (const [name, value] of PINNED) {
    const actual = settings.get(name);
    if (actual !== value) {
      throw new UnfitDatabaseError(
        `the session has ${name} = ${actual ?? "nothing"} where ${value} was asked for: a connection pooler drops settings, name PostgreSQL itself in DATABASE_URL`,
      );
    }
  }
  const role = settings.get(REPLICATION_ROLE);
  if (role === "origin") return;
  throw new UnfitDatabaseError(
    `${REPLICATION_ROLE} is ${role}, which switches constraints off: ALTER ROLE … RESET ${REPLICATION_ROLE}, and the same for the database`,
  );
}

/**
 * Throws when `first` and another connection share backends, as behind a transaction pooler: prepared statements, advisory locks
 * and settings do not stay with a connection there. `connect` makes the other.
 */
export async function refuseTransactionPooler(first: pg.Client, connect: () => Promise<pg.Client>): Promise<void> {
  const second = await connect();
  try {
    const before = await backendOf(first);
    // Takes a backend for the length of a transaction: the one that was free last, if they are shared.
    await second.query("BEGIN");
    await backendOf(second);
    const after = await backendOf(first);
    if (before === after) return;
  } catch {
    // One backend for both: the first waits for the second.
  } finally {
    await second.end().catch(() => {});
  }
  throw new UnfitDatabaseError(
    "two statements of one connection reach different PostgreSQL sessions: a transaction pooler cannot be used; name PostgreSQL itself, or a pooler in session mode, in DATABASE_URL",
  );
}

async function backendOf(client: pg.Client): Promise<number | undefined> {
  const query = { text: "SELECT pg_backend_pid() AS pid", query_timeout: 2_000 };
  return (await client.query<{ pid: number }>(query)).rows[0]?.pid;
}
