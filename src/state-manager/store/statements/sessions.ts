import type { Statement } from "../database.js";

/** A row of `sessions` with its kinds (parallel arrays). */
export interface SessionRow {
  readonly session_id: string;
  readonly epoch: bigint;
  readonly reconciler: string;
  readonly instance_id: string;
  readonly language: string;
  readonly shard_ids: readonly string[];
  readonly concurrency: number;
  readonly lease_duration_ms: number;
  readonly backoff_base_ms: number;
  readonly backoff_max_ms: number;
  readonly resync_period_ms: bigint;
  readonly pass_deadline_ms: number;
  readonly finalizer: string;
  readonly passes_per_second: number;
  readonly burst: number;
  readonly kind_concurrency: number;
  readonly registered_at: Date;
  readonly expires_at: Date;
  readonly last_seen_at: Date;
  readonly passes: bigint;
  readonly failed_passes: bigint;
  readonly groups: readonly string[];
  readonly kinds: readonly string[];
  readonly leases: number;
}

/** A session that a statement ended or detached. */
export type EndedSessionRow = Pick<SessionRow, "session_id" | "reconciler" | "instance_id">;

/** Columns by name: a star would break the prepared statements of running replicas when a migration adds one. */
const SESSIONS = `
  SELECT s.session_id, s.epoch, s.reconciler, s.instance_id, s.language, s.shard_ids, s.concurrency, s.lease_duration_ms,
    s.backoff_base_ms, s.backoff_max_ms, s.resync_period_ms, s.pass_deadline_ms, s.finalizer, s.passes_per_second, s.burst,
    s.kind_concurrency, s.registered_at, s.expires_at, s.passes, s.failed_passes,
    s.expires_at - s.lease_duration_ms * interval '1 millisecond' AS last_seen_at,
    k.groups, k.kinds, (SELECT count(*) FROM work_items w WHERE w.lease_session_id = s.session_id
    AND w.lease_token IS NOT NULL)::integer AS leases
  FROM sessions s
  CROSS JOIN LATERAL (
    SELECT array_agg(k.resource_group::text ORDER BY k.resource_group, k.kind) AS groups,
      array_agg(k.kind::text ORDER BY k.resource_group, k.kind) AS kinds
    FROM session_kinds k WHERE k.session_id = s.session_id) k
  WHERE s.expires_at > clock_timestamp()`;

/** All live sessions. */
export const LIST_SESSIONS: Statement = {
  name: "list-sessions",
  text: `${SESSIONS} ORDER BY s.reconciler, s.instance_id`,
};

/** $1 session; no row unless it is live. */
export const READ_SESSION: Statement = { name: "read-session", text: `${SESSIONS} AND s.session_id = $1` };

/** $1 name, $2 instance: the older registration of the same instance goes. */
export const DELETE_INSTANCE: Statement = {
  name: "delete-instance",
  text: "DELETE FROM sessions WHERE reconciler = $1 AND instance_id = $2 RETURNING session_id, reconciler, instance_id",
};

/**
 * Name, instance, language, shards, concurrency, lease duration, back-off base and max, resync, deadline, finalizer, passes
 * per second, burst (the bucket starts full), kind concurrency. No row when the same instance registered at the same time: this waited for that one.
 */
export const INSERT_SESSION: Statement = {
  name: "insert-session",
  text: `
    INSERT INTO sessions (session_id, reconciler, instance_id, language, shard_ids, concurrency, lease_duration_ms,
      backoff_base_ms, backoff_max_ms, resync_period_ms, pass_deadline_ms, finalizer, passes_per_second, burst, kind_concurrency, tokens,
      tokens_at, registered_at, expires_at)
    VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::integer, $14, $13::integer,
      clock_timestamp(), clock_timestamp(), clock_timestamp() + $6::integer * interval '1 millisecond')
    ON CONFLICT ON CONSTRAINT sessions_instance DO NOTHING
    RETURNING session_id, epoch`,
};

/** $1 session, $2 groups, $3 kinds (parallel arrays). */
export const INSERT_SESSION_KINDS: Statement = {
  name: "insert-session-kinds",
  text: "INSERT INTO session_kinds SELECT $1::uuid, k.* FROM unnest($2::text[], $3::text[]) AS k",
};

/** $1 session: locks its row while leases are counted and taken; no row unless it is live. */
export const LOCK_SESSION: Statement = {
  name: "lock-session",
  text: "SELECT session_id FROM sessions WHERE session_id = $1 AND expires_at > clock_timestamp() FOR NO KEY UPDATE",
};

/** $1 session, $2 attachment: the Attach stream in force from now on. */
export const ATTACH_SESSION: Statement = {
  name: "attach-session",
  text: `
    UPDATE sessions SET attachment = $2 WHERE session_id = $1 AND expires_at > clock_timestamp() RETURNING session_id`,
};

/** $1 session, $2 attachment: no row when another Attach took over. */
export const DETACH_SESSION: Statement = {
  name: "detach-session",
  text: "UPDATE sessions SET attachment = NULL WHERE session_id = $1 AND attachment = $2 RETURNING session_id, reconciler, instance_id",
};

/** $1 session. */
export const DELETE_SESSION: Statement = {
  name: "delete-session",
  text: "DELETE FROM sessions WHERE session_id = $1 RETURNING session_id",
};

/** Up to 100 sessions that are over; those another replica is deleting, or that are just taking a lease, come next time. */
export const DELETE_EXPIRED_SESSIONS: Statement = {
  name: "delete-expired-sessions",
  text: `
    DELETE FROM sessions WHERE session_id IN (
      SELECT session_id FROM sessions WHERE expires_at <= clock_timestamp()
      ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED)
    RETURNING session_id, reconciler, instance_id`,
};

/** $1 sessions, $2 passes, $3 failed ones (parallel arrays): adds to their counts. In one order: other replicas do the same. */
export const COUNT_PASSES: Statement = {
  name: "count-passes",
  text: `
    WITH counted AS MATERIALIZED (
      SELECT s.session_id, x.passes, x.failed
      FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS x (session_id, passes, failed)
      JOIN sessions s USING (session_id) ORDER BY s.session_id FOR NO KEY UPDATE OF s)
    UPDATE sessions s SET passes = s.passes + c.passes, failed_passes = s.failed_passes + c.failed
    FROM counted c WHERE s.session_id = c.session_id`,
};

/** The answer of RENEW_SESSION; no row unless the session is live. */
export interface RenewRow {
  /** Listed, but not the session's any more. */
  readonly lost: readonly string[];
  /** Tokens of leases held for longer than 5 s that were not listed. */
  readonly unlisted: readonly string[];
}

/**
 * $1 session, $2 tokens the worker holds. A lease younger than 5 s may be on its way to the worker, so it is not missed
 * yet. A lease past its deadline is lost whatever the row says (I11).
 */
export const RENEW_SESSION: Statement = {
  name: "renew-session",
  text: `
    WITH renewed AS (
      UPDATE sessions SET expires_at = clock_timestamp() + lease_duration_ms * interval '1 millisecond'
      WHERE session_id = $1 AND expires_at > clock_timestamp() RETURNING session_id),
    held AS MATERIALIZED (
      SELECT lease_token, leased_at, lease_deadline > clock_timestamp() AS is_valid FROM work_items
      WHERE lease_session_id = $1 AND lease_token IS NOT NULL)
    SELECT
      ARRAY(SELECT t FROM unnest($2::text[]) AS t WHERE t NOT IN (SELECT lease_token FROM held WHERE is_valid)) AS lost,
      ARRAY(SELECT lease_token FROM held WHERE NOT lease_token = ANY ($2::text[])
        AND leased_at < clock_timestamp() - interval '5 seconds') AS unlisted
    FROM renewed`,
};
