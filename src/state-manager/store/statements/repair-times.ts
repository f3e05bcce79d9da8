import { QUARANTINE_RETRY_MINUTES } from "../../../resource/quarantine.js";
import { REPEAT_PAUSE_MS, REQUEUE_MAX_MS } from "../../../resource/work.js";
import type { Statement } from "../database.js";
import { CLOCK } from "./clock.js";

/**
 * Statements that repair times which can only have been written while the database clock ran ahead, and items that nobody will
 * ever lease (work/SPEC.md, repair). Each changes nothing where it has run before.
 */

/** A time this much ahead may come from a statement that began later. */
const TOLERANCE = "interval '1 second'";

/** How far the newest event of any log is ahead of the clock, in milliseconds; not positive when it is not, null without events. */
export interface NewestEventRow {
  readonly ahead_ms: number | null;
}

/** The clock never shows less than the time of a commit, unless it was set back since. */
export const READ_NEWEST_EVENT: Statement = {
  name: "read-newest-event",
  isPrepared: false,
  text: `
    SELECT (extract(epoch FROM max(e.committed_at) - clock_timestamp()) * 1000)::double precision AS ahead_ms
    FROM log_floors f CROSS JOIN LATERAL (
      SELECT committed_at FROM events WHERE log_id = f.log_id ORDER BY revision DESC LIMIT 1) e`,
};

/** How many rows a repair changed, with a row only when it did. */
export interface RepairedRow {
  readonly repaired: number;
}

/** A sweep is at most one period away. */
export const REPAIR_KINDS: Statement = {
  name: "repair-kinds",
  isPrepared: false,
  text: `
    WITH ${CLOCK},
    ahead AS MATERIALIZED (
      SELECT resource_group, kind FROM reconciled_kinds r, clock
      WHERE r.sweep_due_at > clock.now + r.resync_period_ms * interval '1 millisecond' + ${TOLERANCE}
      ORDER BY resource_group, kind FOR UPDATE OF r),
    repaired AS (
      UPDATE reconciled_kinds r SET sweep_due_at = clock.now + r.resync_period_ms * interval '1 millisecond'
      FROM ahead a, clock WHERE (r.resource_group, r.kind) = (a.resource_group, a.kind) RETURNING 1)
    SELECT count(*)::integer AS repaired FROM repaired`,
};

/**
 * A session ends at most one lease duration from now, which is no earlier than its worker believes: it counts from before its last
 * renewal. Tokens as of a time that is to come would not grow until then.
 */
export const REPAIR_SESSIONS: Statement = {
  name: "repair-sessions",
  isPrepared: false,
  text: `
    WITH ${CLOCK},
    ahead AS MATERIALIZED (
      SELECT session_id FROM sessions s, clock
      WHERE s.expires_at > clock.now + s.lease_duration_ms * interval '1 millisecond' + ${TOLERANCE}
        OR s.tokens_at > clock.now + ${TOLERANCE} OR s.registered_at > clock.now + ${TOLERANCE}
      ORDER BY session_id FOR NO KEY UPDATE OF s),
    repaired AS (
      UPDATE sessions s SET tokens_at = least(s.tokens_at, clock.now), registered_at = least(s.registered_at, clock.now),
        expires_at = least(s.expires_at, clock.now + s.lease_duration_ms * interval '1 millisecond')
      FROM ahead a, clock WHERE s.session_id = a.session_id RETURNING 1)
    SELECT count(*)::integer AS repaired FROM repaired`,
};

/** Collections of children are postponed by seconds. */
export const REPAIR_COLLECTIONS: Statement = {
  name: "repair-collections",
  isPrepared: false,
  text: `
    WITH ${CLOCK},
    ahead AS MATERIALIZED (
      SELECT owner_uid FROM collections c, clock WHERE c.due_at > clock.now + interval '1 minute'
      ORDER BY owner_uid FOR UPDATE OF c),
    repaired AS (
      UPDATE collections c SET due_at = clock.now FROM ahead a, clock WHERE c.owner_uid = a.owner_uid RETURNING 1)
    SELECT count(*)::integer AS repaired FROM repaired`,
};

/** The last item of a page, and what was done to the items of the page. */
export interface ItemPageRow {
  readonly resource_group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly repaired: number;
  readonly dropped: number;
}

/**
 * The longest wait the back-off of the kind's live sessions allows after the item's failures. While none lives nobody waits for the
 * item; it is looked at again when one has registered.
 */
const BACKOFF_MAX = `coalesce((
      SELECT max(least(s.backoff_max_ms, s.backoff_base_ms * power(2, least(greatest(w.failures - 1, 0), 60))))
      FROM session_kinds k JOIN sessions s USING (session_id)
      WHERE k.resource_group = w.resource_group AND k.kind = w.kind), 86400000) * interval '1 millisecond'`;

/** How far ahead the due time of an item without a lease can have been when it was written. What is wanted is due at once. */
const LONGEST_WAIT = `CASE
      WHEN w.quarantined_at IS NOT NULL THEN interval '${QUARANTINE_RETRY_MINUTES} minutes'
      WHEN w.reason IN ('RETRY', 'DEADLINE_EXCEEDED') THEN ${BACKOFF_MAX}
      WHEN w.reason = 'REQUEUE_AFTER' THEN interval '${REQUEUE_MAX_MS} milliseconds'
      WHEN w.reason = 'LEASE_RETURNED' THEN interval '${REPEAT_PAUSE_MS} milliseconds'
      ELSE interval '0' END`;

/** What a moved item says of itself; `moved_at` is read from it. */
const MOVED = "due time moved with the database clock, which was set back";

/** An item that says it was moved within the last minute was moved for this step, by this replica or another one. */
const IS_MOVED_ALREADY = `coalesce(
      substring(w.message FROM '^at (\\S+): ${MOVED}')::timestamptz BETWEEN clock.now - interval '1 minute' AND clock.now, false)`;

/**
 * $1..$4 the key to go on after, $5 by how many milliseconds the clock was just set back (0: it was not), $6 items a page; no row: the
 * end of the queue.
 *
 * A due time that lies farther ahead than it can have been when it was written is taken back to that. REQUEUE_AFTER may ask for 30
 * days, so what it asked for is moved with the clock, once for each step: the item then says so. Those written between the step and
 * this page come too early by that, which costs a pass and loses nothing.
 *
 * Dropped is what a status write or metadata asked for over a resource that has caught up since, of a kind that no reconciler with leases ever
 * registered: operators without leases watch, and nobody would take the item. A reconciler that registers the kind later sees the resource at
 * its first resync.
 */
export const REPAIR_ITEMS: Statement = {
  name: "repair-items",
  isPrepared: false,
  text: `
    WITH ${CLOCK},
    page AS MATERIALIZED (
      SELECT w.resource_group, w.kind, w.namespace, w.name, w.resource_id, w.wanted, w.lease_token,
        CASE
          WHEN w.lease_token IS NOT NULL THEN
            CASE WHEN w.leased_at > clock.now + ${TOLERANCE} THEN 'leased' END
          WHEN w.due_at > clock.now + ${TOLERANCE} AND w.due_at > clock.now + ${LONGEST_WAIT} + ${TOLERANCE} THEN 'ahead'
          WHEN $5::bigint > 0 AND w.reason = 'REQUEUE_AFTER' AND w.due_at > clock.now AND NOT ${IS_MOVED_ALREADY} THEN 'moved'
          WHEN w.reason IN ('METADATA_CHANGED', 'STATUS_CHANGED') AND NOT w.is_pending AND w.quarantined_at IS NULL
            AND w.due_at <= clock.now AND NOT EXISTS (
              SELECT FROM reconciled_kinds r WHERE r.resource_group = w.resource_group AND r.kind = w.kind) THEN 'unwanted'
        END AS fault
      FROM work_items w, clock
      WHERE (w.resource_group, w.kind, w.namespace, w.name) > ($1, $2, $3, $4)
      ORDER BY w.resource_group, w.kind, w.namespace, w.name LIMIT $6),
    faulty AS MATERIALIZED (
      SELECT p.resource_group, p.kind, p.namespace, p.name, p.fault, ${LONGEST_WAIT} AS longest_wait
      FROM page p JOIN work_items w USING (resource_group, kind, namespace, name)
      WHERE p.fault IS NOT NULL AND w.wanted = p.wanted AND w.lease_token IS NOT DISTINCT FROM p.lease_token
      ORDER BY p.resource_group, p.kind, p.namespace, p.name FOR UPDATE OF w SKIP LOCKED),
    dropped AS (
      DELETE FROM work_items w USING faulty f, resources r
      WHERE (w.resource_group, w.kind, w.namespace, w.name) = (f.resource_group, f.kind, f.namespace, f.name)
        AND f.fault = 'unwanted' AND r.id = w.resource_id AND r.generation = r.observed_generation
        AND r.deletion_requested_at IS NULL
      RETURNING 1),
    repaired AS (
      UPDATE work_items w SET
        due_at = CASE f.fault WHEN 'ahead' THEN clock.now + f.longest_wait
          WHEN 'moved' THEN greatest(w.due_at - $5::bigint * interval '1 millisecond', clock.now) ELSE w.due_at END,
        is_ready = CASE f.fault WHEN 'ahead' THEN f.longest_wait = interval '0'
          WHEN 'moved' THEN w.due_at - $5::bigint * interval '1 millisecond' <= clock.now ELSE w.is_ready END,
        message = CASE f.fault WHEN 'moved' THEN format('at %s: ${MOVED} by %s s',
          to_char(clock.now AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), round($5::bigint / 1000.0)) ELSE w.message END,
        lease_deadline = CASE f.fault WHEN 'leased' THEN w.lease_deadline - (w.leased_at - clock.now) ELSE w.lease_deadline END,
        leased_at = CASE f.fault WHEN 'leased' THEN clock.now ELSE w.leased_at END,
        -- least() takes a null for no value at all: what is not quarantined would be from now on.
        quarantined_at = CASE WHEN w.quarantined_at > clock.now THEN clock.now ELSE w.quarantined_at END,
        pending_since = CASE WHEN w.pending_since > clock.now THEN clock.now ELSE w.pending_since END
      FROM faulty f, clock
      WHERE (w.resource_group, w.kind, w.namespace, w.name) = (f.resource_group, f.kind, f.namespace, f.name)
        AND f.fault <> 'unwanted'
      RETURNING 1)
    SELECT p.resource_group, p.kind, p.namespace, p.name, (SELECT count(*) FROM repaired)::integer AS repaired,
      (SELECT count(*) FROM dropped)::integer AS dropped
    FROM page p ORDER BY p.resource_group DESC, p.kind DESC, p.namespace DESC, p.name DESC LIMIT 1`,
};
