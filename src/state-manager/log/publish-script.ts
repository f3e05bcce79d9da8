import type { Redis } from "ioredis";
import type { Change, Position } from "../../resource/change.js";
import { LuaScript } from "./lua-script.js";
import { ENTRY_FIELDS, encodeEntry, positionOf } from "./stream-entry.js";
import { entryId } from "./stream-keys.js";

/** What the script found and did (2.6). */
export type PublishReply =
  /** All changes, or those the stream did not have yet, were appended after their predecessor. */
  | { readonly type: "appended" | "restarted"; readonly count: number }
  /** Somebody else published them. */
  | { readonly type: "already" }
  /** The stream ends before the predecessor: fill it from PostgreSQL. Nothing was written. */
  | { readonly type: "behind"; readonly last: Position }
  /** The stream is ahead and our entries are trimmed away: only PostgreSQL knows its lineage. Nothing was written. */
  | { readonly type: "unverifiable"; readonly last: Position };

/** Where and how much to keep. */
export interface PublishTarget {
  readonly stream: string;
  /** Entries kept, about. */
  readonly maxLength: number;
  /** The stream is dropped after this long without an append: an empty stream is always safe. */
  readonly idleMs: number;
}

/**
 * Appends a contiguous run of changes to the stream of their log. Any number of replicas may run it on the same changes in
 * any order: entries are added only after their predecessor, each once.
 *
 * `restartAfter`: PostgreSQL does not know the stream's last entry, or is too far ahead of it; if that entry is still the
 * last one, the stream is dropped and starts with `changes`.
 */
export async function publish(
  redis: Redis,
  target: PublishTarget,
  changes: readonly Change[],
  restartAfter: Position | undefined,
): Promise<PublishReply> {
  const first = changes[0];
  if (first === undefined) return { type: "already" };
  const args = [
    target.maxLength,
    target.idleMs,
    restartAfter === undefined ? "" : `${entryId(restartAfter.revision)} ${restartAfter.fingerprint}`,
    String(first.previousFingerprint),
    changes.length,
  ];
  for (const change of changes) args.push(String(change.revision), ...encodeEntry(change));
  return parseReply(await SCRIPT.run(redis, [target.stream], args));
}

/** Drops a stream whose last entry, and so its end, is not of PostgreSQL's history; nothing when it has changed meanwhile. */
export async function dropStream(redis: Redis, stream: string, last: Position): Promise<void> {
  await DROP_SCRIPT.run(redis, [stream], [entryId(last.revision), String(last.fingerprint)]);
}

function parseReply(reply: unknown): PublishReply {
  // The script below is the only writer of this reply.
  const [type, a, b] = reply as [PublishReply["type"], string, string];
  switch (type) {
    case "appended":
    case "restarted":
      return { type, count: Number(a) };
    case "already":
      return { type };
    case "behind":
    case "unverifiable":
      return { type, last: positionOf(a, b) };
  }
}

/**
 * Revisions are compared as Lua numbers, exact up to 2^53: at a million events a second that is 285 years.
 *
 * The stream is dropped (DEL), not emptied, before it starts again: XADD refuses ids below the last one it ever saw.
 */
const SCRIPT = new LuaScript(`
local stream = KEYS[1]
local max_length, idle_ms, restart_after, previous, count = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local HEADER, WIDTH = 5, ${ENTRY_FIELDS.length + 1}

local function revision(i) return ARGV[HEADER + (i - 1) * WIDTH + 1] end
local function fingerprint(i) return ARGV[HEADER + (i - 1) * WIDTH + 2] end
local function number_of(id) return tonumber(string.match(id, '^%d+')) end

-- nil for no stream, and for a key that is no stream of ours: both start here
local function last_entry()
  local reply = redis.pcall('XREVRANGE', stream, '+', '-', 'COUNT', 1)
  if reply.err and not string.find(reply.err, 'WRONGTYPE', 1, true) then error(reply.err) end
  if reply.err or #reply == 0 or reply[1][2][1] ~= 'fingerprint' then return nil end
  return { id = reply[1][1], fingerprint = reply[1][2][2] }
end

local function append(from)
  for i = from, count do
    local base = HEADER + (i - 1) * WIDTH + 1
    redis.call('XADD', stream, ARGV[base] .. '-0',
${ENTRY_FIELDS.map((name, index) => `      '${name}', ARGV[base + ${index + 1}]`).join(",\n")})
  end
  redis.call('XTRIM', stream, 'MAXLEN', '~', max_length)
  redis.call('PEXPIRE', stream, idle_ms)
  return count - from + 1
end

local function start_here()
  redis.call('DEL', stream)
  return { 'restarted', append(1) }
end

local last = last_entry()
if last == nil or restart_after == last.id .. ' ' .. last.fingerprint then return start_here() end

local last_number, first_number = number_of(last.id), tonumber(revision(1))
if last_number < first_number - 1 then return { 'behind', last.id, last.fingerprint } end
if last_number == first_number - 1 then
  if last.fingerprint ~= previous then return start_here() end
  return { 'appended', append(1) }
end

-- the stream has some of ours: compare at the newest one both know
local known = math.min(count, last_number - first_number + 1)
local entry = redis.call('XRANGE', stream, revision(known) .. '-0', revision(known) .. '-0')[1]
if entry == nil then return { 'unverifiable', last.id, last.fingerprint } end
if entry[2][2] ~= fingerprint(known) then return start_here() end
if known == count then return { 'already' } end
return { 'appended', append(known + 1) }
`);

const DROP_SCRIPT = new LuaScript(`
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if last and last[1] == ARGV[1] and last[2][2] == ARGV[2] then return redis.call('DEL', KEYS[1]) end
return 0
`);
