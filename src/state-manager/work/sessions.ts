import { DomainError } from "../../resource/errors.js";
import type { KindRef } from "../../resource/key.js";
import type { DueHint } from "../log/change-log.js";
import type { Connection, Database } from "../store/database.js";
import {
  ADD_KINDS,
  CLAIM_KINDS,
  FIND_OTHER_HOLDER,
  type KindHolderRow,
  LOCK_KINDS,
} from "../store/statements/reconciled-kinds.js";
import {
  DELETE_INSTANCE,
  DELETE_SESSION,
  type EndedSessionRow,
  INSERT_SESSION,
  INSERT_SESSION_KINDS,
  LIST_SESSIONS,
  READ_SESSION,
  RENEW_SESSION,
  type RenewRow,
  type SessionRow,
} from "../store/statements/sessions.js";
import { returnLeasesOf, strikeLeasesOf } from "./lease-query.js";
import type { Registration, Session } from "./work-service.js";

/** A session as it registered; none of this changes while it lives. */
export interface KnownSession extends Registration {
  readonly sessionId: string;
}

/** A registration that went through. */
export interface Registered {
  readonly sessionId: string;
  readonly epoch: bigint;
  /** The older session of the same instance, fenced. */
  readonly fenced: readonly string[];
  /** What its leases made due. */
  readonly due: readonly DueHint[];
}

/** Registrations kept in memory to save a statement per call; the oldest goes first. */
const MAX_KNOWN = 10_000;

/** How many simultaneous registrations of one instance a registration outlasts. */
const MAX_MEETINGS = 10;

/**
 * A renewal that waited longer for the database says nothing about the leases it does not list: they may have been handed out
 * meanwhile. Together with the hand-out's limit it leaves the network a second of the 5 s (work/SPEC.md, Q10).
 */
const RENEW_MAX_DELAY_MS = 1_000;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Sessions of workers: rows that any replica can end. Liveness is decided on the database clock alone (2.9). */
export class Sessions {
  readonly #database: Database;
  readonly #known = new Map<string, KnownSession>();

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Opens a session. An older one of the same name and instance is fenced: its row goes, its leases are due now. Throws
   * KIND_TAKEN while another reconciler has live sessions for one of the kinds; without them the name is taken over.
   */
  async register(registration: Registration): Promise<Registered> {
    const registered = await this.#database.transaction(async (connection) => {
      const kinds = kindArrays(registration.kinds);
      await claimKinds(connection, registration, kinds);
      const { fenced, ...opened } = await replaceInstance(connection, registration);
      await connection.query(INSERT_SESSION_KINDS, [opened.sessionId, ...kinds]);
      const due = await strikeLeasesOf(connection, fenced, "its instance registered again");
      return { ...opened, fenced: fenced.map((row) => row.session_id), due };
    });
    for (const sessionId of registered.fenced) this.#known.delete(sessionId);
    this.#remember({ ...registration, sessionId: registered.sessionId });
    return registered;
  }

  /**
   * The registration of a session that lives, or lived when this replica last read it: whoever acts on it is checked again
   * in the database. Throws SESSION_NOT_FOUND.
   */
  async get(sessionId: string): Promise<KnownSession> {
    const known = this.#known.get(sessionId);
    if (known !== undefined) return known;
    const [row] = await this.#query<SessionRow>(READ_SESSION, sessionId);
    if (row === undefined) throw sessionNotFound(sessionId);
    return this.#remember(toSession(row));
  }

  /** Extends the session; tells which of `tokens` it lost, and which leases it holds without listing them. */
  async renew(sessionId: string, tokens: readonly string[]): Promise<RenewRow> {
    const askedAt = performance.now();
    const [row] = await this.#query<RenewRow>(RENEW_SESSION, sessionId, tokens);
    if (row === undefined) throw sessionNotFound(sessionId);
    return performance.now() - askedAt > RENEW_MAX_DELAY_MS ? { ...row, unlisted: [] } : row;
  }

  /** Ends the session and makes its leases due. Calling it again changes nothing. */
  async deregister(sessionId: string): Promise<DueHint[]> {
    this.#known.delete(sessionId);
    if (!UUID.test(sessionId)) return [];
    return this.#database.transaction(async (connection) => {
      const deleted = await connection.query<SessionRow>(DELETE_SESSION, [sessionId]);
      return returnLeasesOf(
        connection,
        deleted.map((row) => row.session_id),
      );
    });
  }

  /** The session as it is now; undefined unless it is live. */
  async read(sessionId: string): Promise<Session | undefined> {
    const [row] = await this.#query<SessionRow>(READ_SESSION, sessionId);
    return row && toSession(row);
  }

  /** Live sessions, by name and instance. */
  async list(): Promise<Session[]> {
    return (await this.#database.query<SessionRow>(LIST_SESSIONS)).map(toSession);
  }

  /** Forgets a session that turned out to be over. */
  forget(sessionId: string): void {
    this.#known.delete(sessionId);
  }

  /** Any text may come as a session id; only a UUID can be one. */
  async #query<Row>(statement: typeof READ_SESSION, sessionId: string, ...values: unknown[]): Promise<Row[]> {
    if (!UUID.test(sessionId)) return [];
    return this.#database.query<Row>(statement, [sessionId, ...values]);
  }

  #remember(session: KnownSession): KnownSession {
    this.#known.set(session.sessionId, session);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN) break;
      this.#known.delete(oldest);
    }
    return session;
  }
}

/** The session expired, was fenced by a newer registration, deregistered, or never was. */
export function sessionNotFound(sessionId: string): DomainError {
  return new DomainError(
    "NOT_FOUND",
    "SESSION_NOT_FOUND",
    `session ${JSON.stringify(sessionId.slice(0, 64))} is over or unknown; stop its passes and register again`,
  );
}

/**
 * Deletes the session of the same instance and inserts the new one. Registrations with a kind in common come one after the
 * other; those without may meet here, and the later one fences the earlier.
 */
async function replaceInstance(
  connection: Connection,
  registration: Registration,
): Promise<Pick<Registered, "sessionId" | "epoch"> & { readonly fenced: readonly EndedSessionRow[] }> {
  const fenced: EndedSessionRow[] = [];
  for (let attempt = 0; attempt < MAX_MEETINGS; attempt++) {
    const older = await connection.query<EndedSessionRow>(DELETE_INSTANCE, [
      registration.name,
      registration.instanceId,
    ]);
    fenced.push(...older);
    const [row] = await connection.query<SessionRow>(INSERT_SESSION, sessionValues(registration));
    if (row !== undefined) return { sessionId: row.session_id, epoch: row.epoch, fenced };
  }
  const instance = JSON.stringify(registration.instanceId);
  throw new DomainError(
    "UNAVAILABLE",
    "OVERLOADED",
    `instance ${instance} is being registered by many at once; give each worker its own instance_id, or retry`,
  );
}

/** Kinds are rows that registrations lock first, in one order, so that two names cannot take one kind at once. */
async function claimKinds(connection: Connection, registration: Registration, kinds: string[][]): Promise<void> {
  const values = [...kinds, registration.name, registration.resyncPeriodMs];
  await connection.query(ADD_KINDS, values);
  await connection.query(LOCK_KINDS, kinds);
  const [holder] = await connection.query<KindHolderRow>(FIND_OTHER_HOLDER, [...kinds, registration.name]);
  if (holder !== undefined) {
    const { resource_group: group, kind, reconciler } = holder;
    throw new DomainError(
      "FAILED_PRECONDITION",
      "KIND_TAKEN",
      `${group}/${kind} is reconciled by ${JSON.stringify(reconciler)}, which has live sessions; register under that name, or stop it first`,
    );
  }
  await connection.query(CLAIM_KINDS, [...values, registration.finalizer, registration.kindConcurrency]);
}

function kindArrays(kinds: readonly KindRef[]): string[][] {
  return [kinds.map((kind) => kind.resourceGroup), kinds.map((kind) => kind.kind)];
}

function sessionValues(registration: Registration): readonly unknown[] {
  return [
    registration.name,
    registration.instanceId,
    registration.language,
    registration.shardIds,
    registration.concurrency,
    registration.leaseDurationMs,
    registration.backoffBaseMs,
    registration.backoffMaxMs,
    registration.resyncPeriodMs,
    registration.passDeadlineMs,
    registration.finalizer,
    registration.passesPerSecond,
    registration.burst,
    registration.kindConcurrency,
  ];
}

function toSession(row: SessionRow): Session {
  return {
    sessionId: row.session_id,
    epoch: row.epoch,
    name: row.reconciler,
    instanceId: row.instance_id,
    language: row.language,
    kinds: row.groups.map((resourceGroup, i) => ({ resourceGroup, kind: row.kinds[i] ?? "" })),
    shardIds: row.shard_ids,
    concurrency: row.concurrency,
    leaseDurationMs: row.lease_duration_ms,
    backoffBaseMs: row.backoff_base_ms,
    backoffMaxMs: row.backoff_max_ms,
    resyncPeriodMs: Number(row.resync_period_ms),
    passDeadlineMs: row.pass_deadline_ms,
    finalizer: row.finalizer,
    passesPerSecond: row.passes_per_second,
    burst: row.burst,
    kindConcurrency: row.kind_concurrency,
    registeredAt: row.registered_at,
    expiresAt: row.expires_at,
    lastSeenAt: row.last_seen_at,
    passes: row.passes,
    failedPasses: row.failed_passes,
    leases: row.leases,
  };
}
