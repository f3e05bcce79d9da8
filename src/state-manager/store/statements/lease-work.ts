import type { Priority, WorkReason } from "../../../resource/work.js";
import type { Statement } from "../database.js";
import { RESOURCE_COLUMNS } from "../resource-row.js";
import { CLOCK } from "./clock.js";
import { CLASSES } from "./work-priority.js";

/**
 * How due work becomes leases: PEEK tells whether there is any, PROMOTE brings what came due into the turns, MARK_TURNS and
 * MARK_SOLO take leases, READ_LEASED reads what is leased. States and lock order: work/SPEC.md. The indexes are those of 0003 and
 * 0005.
 */

const READY = "w.is_ready AND w.lease_token IS NULL AND NOT w.is_struck";
const SCHEDULED = "NOT w.is_ready AND w.lease_token IS NULL AND NOT w.is_struck";
const STRUCK = "w.is_struck AND w.lease_token IS NULL";

/** A setting of the transaction, in which the statement that marks tells the next one what it has leased: ids, in order. */
const LEASED_NOW = "reconcile.leased_now";

/** Whether work items `w` are of the shards that the array `shards` names; an empty one stands for all. */
function ofShards(shards: string): string {
  return `(${shards} = '{}' OR w.shard_id = ANY (${shards}::text[]))`;
}

/**
 * What session $1 may lease of kind $2, $3: exact in a statement that follows LOCK_SESSION, and LOCK_KIND where the kind's leases
 * are limited. A lease belongs to a session row until the transaction that deletes the row returns it, so the leases of a
 * kind are those of its sessions. OFFSET keeps them from being sought among all items of the kind.
 */
const ALLOWANCE = `
  SELECT s.session_id, s.epoch, s.shard_ids, s.pass_deadline_ms, s.passes_per_second, held.leases,
    CASE WHEN held.has_solo THEN 0 ELSE s.concurrency - held.leases END AS room,
    coalesce(k.max_leases > 0, false) AS is_kind_limited,
    CASE WHEN k.max_leases > 0 THEN k.max_leases - (
      SELECT count(*) FROM session_kinds o CROSS JOIN LATERAL (
        SELECT w.resource_group, w.kind FROM work_items w
        WHERE w.lease_session_id = o.session_id OFFSET 0) w
      WHERE o.resource_group = $2 AND o.kind = $3 AND w.resource_group = $2 AND w.kind = $3)::integer END AS kind_room,
    CASE WHEN s.passes_per_second > 0 THEN least(s.burst,
      s.tokens + s.passes_per_second * greatest(0, extract(epoch FROM clock.now - s.tokens_at)::double precision)) END AS tokens
  FROM clock CROSS JOIN sessions s
  LEFT JOIN reconciled_kinds k ON k.resource_group = $2 AND k.kind = $3
  CROSS JOIN LATERAL (
    SELECT count(*)::integer AS leases, coalesce(bool_or(h.lease_is_solo), false) AS has_solo FROM work_items h
    WHERE h.lease_session_id = s.session_id) held
  WHERE s.session_id = $1 AND s.expires_at > clock.now`;

/** The answer of PEEK; no row: there is no such live session. Times are negative or 0 for what is due. */
export interface PeekRow {
  /** How many more leases the session may hold. */
  readonly room: number;
  /** How many it holds. */
  readonly leases: number;
  readonly is_kind_limited: boolean;
  /** How many more leases of the kind all sessions may hold; null: no limit. */
  readonly kind_room: number | null;
  /** How many leases the session may take now, in parts of one; null: no limit. */
  readonly tokens: number | null;
  readonly passes_per_second: number;
  /** The classes that have ready items this session may lease, most urgent first. */
  readonly ready: readonly Priority[];
  /** Until the next scheduled item is due; null: none is waiting. */
  readonly scheduled_in_ms: number | null;
  /** Until the next struck item is due; null: none is waiting. */
  readonly struck_in_ms: number | null;
  /** Whether a struck item has waited for 2 s and this is the session that must empty its hands for it. */
  readonly must_drain: boolean;
}

/** How long struck items wait for a session that happens to hold nothing. */
const DRAIN_AFTER = "interval '2 seconds'";

/**
 * $1 session, $2 group, $3 kind: whether a look is worth a transaction, and when the next one will be.
 *
 * The oldest session drains, whichever of its kinds the struck item is of: any session could, and one is enough. One that
 * holds nothing needs not.
 *
 * Each class is asked for its first item. Asked for any, the planner takes statistics' word for it that one comes early by some
 * other index, or joins the classes with all there is while it has no statistics.
 */
export const PEEK: Statement = {
  name: "peek-work",
  isInOrder: true,
  text: `
    WITH ${CLOCK}, me AS MATERIALIZED (${ALLOWANCE})
    SELECT me.room, me.leases, me.is_kind_limited, me.kind_room, me.tokens, me.passes_per_second,
      ARRAY(SELECT class.priority::integer FROM ${CLASSES} CROSS JOIN LATERAL (
        SELECT FROM work_items w WHERE w.resource_group = $2 AND w.kind = $3 AND w.priority = class.priority AND ${READY}
          AND ${ofShards("me.shard_ids")} ORDER BY w.priority, w.namespace, w.due_at LIMIT 1) w) AS ready,
      (extract(epoch FROM (SELECT w.due_at FROM work_items w WHERE w.resource_group = $2 AND w.kind = $3 AND ${SCHEDULED}
        AND ${ofShards("me.shard_ids")} ORDER BY w.due_at LIMIT 1) - clock.now) * 1000)::double precision AS scheduled_in_ms,
      (extract(epoch FROM (SELECT w.due_at FROM work_items w WHERE w.resource_group = $2 AND w.kind = $3 AND ${STRUCK}
        AND ${ofShards("me.shard_ids")} ORDER BY w.due_at LIMIT 1) - clock.now) * 1000)::double precision AS struck_in_ms,
      me.leases > 0 AND EXISTS (
        SELECT FROM session_kinds k
        JOIN work_items w ON w.resource_group = k.resource_group AND w.kind = k.kind
        WHERE k.session_id = me.session_id AND ${STRUCK} AND w.due_at <= clock.now - ${DRAIN_AFTER}
          AND ${ofShards("me.shard_ids")} AND NOT EXISTS (
            SELECT FROM session_kinds o JOIN sessions older USING (session_id)
            WHERE o.resource_group = k.resource_group AND o.kind = k.kind AND older.epoch < me.epoch
              AND older.expires_at > clock.now AND ${ofShards("older.shard_ids")})) AS must_drain
    FROM me CROSS JOIN clock`,
};

/** A class in which items were promoted. */
export interface PromotedRow {
  readonly priority: Priority;
}

/** $1 group, $2 kind: makes up to 1,000 scheduled items ready whose time has come, the earliest first. */
export const PROMOTE: Statement = {
  name: "promote-work",
  isInOrder: true,
  text: `
    WITH ${CLOCK},
    due AS MATERIALIZED (
      SELECT w.ctid FROM work_items w
      WHERE w.resource_group = $1 AND w.kind = $2 AND ${SCHEDULED} AND w.due_at <= (SELECT now FROM clock)
      ORDER BY w.due_at LIMIT 1000 FOR UPDATE SKIP LOCKED),
    promoted AS (
      UPDATE work_items w SET is_ready = true FROM unnest(ARRAY(SELECT ctid FROM due)) AS d (ctid)
      WHERE w.ctid = d.ctid
      RETURNING w.priority)
    SELECT DISTINCT priority FROM promoted`,
};

/** A lease just taken. */
export interface MarkedRow {
  /** Its place in the order of hand-out. */
  readonly turn: number;
  readonly namespace: string;
  readonly name: string;
  readonly resource_id: bigint;
  readonly priority: Priority;
  readonly lease_token: string;
  readonly lease_is_solo: boolean;
  readonly failures: number;
  readonly lease_deadline: Date;
  readonly reason: WorkReason;
  readonly message: string;
  readonly progress: string;
  readonly has_checkpoint: boolean;
  /** From due to leased. */
  readonly waited_ms: number;
}

/**
 * Leases the items that `due` yields to $1, of kind $2, $3, and takes as many tokens from the session's bucket. `room.items` is
 * how many it may yield: at most $4, none where the kind's leases are limited and its row is not locked ($5).
 *
 * The objects are read in the next statement: joined in this one they could be older than the lease (2.8). Rows are found
 * again by their place, which no statistics can talk the planner out of; one that was changed since the statement began may be
 * missed that way, and then the next look finds it.
 */
function markLeases(due: string, isSolo: boolean): string {
  return `
    WITH RECURSIVE ${CLOCK}, me AS MATERIALIZED (${ALLOWANCE}),
    room AS MATERIALIZED (
      SELECT me.*, CASE WHEN me.is_kind_limited AND NOT $5::boolean THEN 0
        ELSE greatest(0, least($4::integer, me.room, me.kind_room, floor(me.tokens)::integer)) END AS items
      FROM me),
    ${due},
    marked AS (
      UPDATE work_items w SET due_at = NULL, is_ready = true, lease_token = gen_random_uuid()::text, lease_session_id = $1,
        lease_resource_id = w.resource_id, lease_wanted = w.wanted, leased_at = clock.now,
        lease_deadline = clock.now + room.pass_deadline_ms * interval '1 millisecond', lease_is_solo = ${isSolo}
      FROM clock, room,
        unnest(ARRAY(SELECT ctid FROM due), ARRAY(SELECT due_at FROM due)) WITH ORDINALITY AS d (ctid, due_at, turn)
      WHERE w.ctid = d.ctid
      RETURNING d.turn::integer AS turn, w.namespace, w.name, w.resource_id, w.priority,
        w.lease_token, w.lease_is_solo, w.failures, w.lease_deadline, w.reason, w.message, w.progress,
        w.checkpoint IS NOT NULL AS has_checkpoint,
        (extract(epoch FROM clock.now - d.due_at) * 1000)::double precision AS waited_ms),
    spent AS (
      UPDATE sessions s SET tokens = room.tokens - (SELECT count(*) FROM marked), tokens_at = clock.now
      FROM room, clock WHERE s.session_id = room.session_id AND room.passes_per_second > 0 AND EXISTS (SELECT FROM marked)),
    told AS MATERIALIZED (
      SELECT set_config('${LEASED_NOW}', array_agg(resource_id ORDER BY turn)::text, true) FROM marked)
    SELECT marked.* FROM marked CROSS JOIN told ORDER BY turn`;
}

/** The earliest item of the next namespace with ready items of the step's class, where `which` says after what. */
function nextNamespace(which: string): string {
  return `
    SELECT w.namespace, w.ctid FROM work_items w
    WHERE w.resource_group = $2 AND w.kind = $3 AND w.priority = step.priority AND ${READY}
      AND ${ofShards("(SELECT shard_ids FROM room)")} AND ${which}
    ORDER BY w.priority, w.namespace, w.due_at LIMIT 1`;
}

/**
 * $1..$5 as above; $6 classes, $7 the namespace each served last, $8 how many items to pass over, $9 how many to look at (parallel
 * arrays): leases ready items step by step until there is no room (work/turns.ts makes the steps). $10: none while a struck item of
 * the session's kinds is due.
 *
 * A step walks from namespace to namespace by the index, beginning after the one served last and around once, and takes the
 * earliest item of each; when that is not enough, the second of each, and so on. Rows are made only as the LIMITs ask for them:
 * the walk reads as many namespaces as it needs, however many there are. What others hold is passed over, and only what is
 * taken is locked.
 *
 * How deep a namespace is looked into is bounded by what the others leave, and to four times an even share: a lease of
 * 1,000 must not read a million items. Where a few namespaces have nearly all of them a long lease comes shorter.
 */
export const MARK_TURNS: Statement = {
  name: "mark-leases",
  isInOrder: true,
  text: markLeases(
    `candidate AS MATERIALIZED (
      SELECT item.ctid FROM
        unnest($6::smallint[], $7::text[], $8::integer[], $9::integer[]) AS step (priority, after, skipped, taken)
      CROSS JOIN LATERAL (
        WITH RECURSIVE turn AS (
          SELECT step.after COLLATE "C" AS namespace, NULL::tid AS ctid, 0 AS place, false AS is_around
          UNION ALL
          SELECT next.namespace, next.ctid, turn.place + 1, next.is_around
          FROM turn CROSS JOIN LATERAL (
            SELECT n.*, turn.is_around FROM (
              ${nextNamespace("w.namespace > turn.namespace AND (NOT turn.is_around OR w.namespace <= step.after)")}) n
            UNION ALL
            SELECT n.*, true FROM (${nextNamespace("NOT turn.is_around AND w.namespace <= step.after")}) n
            LIMIT 1) next
          WHERE turn.place < step.skipped + step.taken),
        width AS MATERIALIZED (
          SELECT count(ctid) AS namespaces, step.skipped + step.taken - count(ctid) AS missing FROM turn)
        SELECT turn.ctid FROM turn WHERE turn.place > 0
        UNION ALL
        (SELECT deeper.ctid FROM turn CROSS JOIN LATERAL (
          SELECT w.ctid, row_number() OVER (ORDER BY w.due_at) AS rank FROM (
            SELECT w.ctid, w.due_at FROM work_items w
            WHERE w.resource_group = $2 AND w.kind = $3 AND w.priority = step.priority AND w.namespace = turn.namespace
              AND ${READY} AND ${ofShards("(SELECT shard_ids FROM room)")}
            ORDER BY w.due_at OFFSET 1
            LIMIT (SELECT least(missing, 4 * missing / greatest(namespaces, 1) + 1) FROM width)) w) deeper
          WHERE turn.place > 0 AND (SELECT missing > 0 FROM width)
          ORDER BY deeper.rank, turn.place)
        OFFSET step.skipped LIMIT step.taken) item),
    due AS MATERIALIZED (
      SELECT c.ctid, w.due_at FROM candidate c CROSS JOIN LATERAL (
        SELECT w.due_at FROM work_items w WHERE w.ctid = c.ctid AND ${READY} FOR UPDATE SKIP LOCKED) w
      LIMIT (SELECT CASE WHEN $10::boolean AND EXISTS (
          SELECT FROM session_kinds k JOIN work_items w ON w.resource_group = k.resource_group AND w.kind = k.kind
          WHERE k.session_id = $1 AND ${STRUCK} AND w.due_at <= clock.now)
        THEN 0 ELSE room.items END FROM room, clock))`,
    false,
  ),
};

/** $1..$5 as above: leases the struck item that is due longest, to a session that holds nothing. */
export const MARK_SOLO: Statement = {
  name: "mark-solo",
  isInOrder: true,
  text: markLeases(
    `due AS MATERIALIZED (
      SELECT w.ctid, w.due_at FROM work_items w
      WHERE w.resource_group = $2 AND w.kind = $3 AND ${STRUCK} AND w.due_at <= (SELECT now FROM clock)
        AND ${ofShards("(SELECT shard_ids FROM room)")} AND (SELECT leases FROM room) = 0
      ORDER BY w.due_at LIMIT (SELECT least(1, items) FROM room) FOR UPDATE SKIP LOCKED)`,
    true,
  ),
};

/**
 * $1 bytes: the resources that the statement before this one has leased, in the order of hand-out, up to so many bytes of them; the
 * rest is read at hand-out. On a snapshot of its own (2.8): whoever changes a resource locks its item first and so waits for this
 * transaction, so what is read is the newest there is when the leases begin.
 */
export const READ_LEASED: Statement = {
  name: "read-leased",
  text: `
    SELECT ${RESOURCE_COLUMNS} FROM (
      SELECT r.*, sum(r.bytes) OVER (ORDER BY leased.turn) AS bytes_so_far
      FROM unnest(nullif(current_setting('${LEASED_NOW}', true), '')::bigint[]) WITH ORDINALITY AS leased (id, turn)
      JOIN resources r ON r.id = leased.id) r
    WHERE bytes_so_far <= $1::bigint`,
};
