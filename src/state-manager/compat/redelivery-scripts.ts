import type { Redis } from "ioredis";
import type { ResourceKey } from "../../resource/key.js";
import { LuaScript } from "../log/lua-script.js";
import type { CompatEntry } from "./compat-entry.js";

/** An entry that was delivered to an operator and not acknowledged in time. */
export interface UnacknowledgedEntry {
  readonly id: string;
  readonly key: ResourceKey;
}

/** When entries are added again. */
export interface RedeliveryLimits {
  /** How long an operator has for an entry; doubled with every time it was added again, `maxDoublings` times at most. */
  readonly afterMs: number;
  readonly maxDoublings: number;
  /** How soon a stream with entries that are not acknowledged is looked at again. */
  readonly lookEveryMs: number;
}

/** What a look at the streams that are due came to. */
interface DueStreams {
  /** How many were looked at; as many as the limit: there may be more. */
  readonly count: number;
  /** Those of which operators have entries that they have not acknowledged. */
  readonly pending: readonly string[];
}

/** Looks at the streams that are due, at most `limit`; other replicas leave them alone for `lookEveryMs`. */
export async function takeDueStreams(
  redis: Redis,
  due: string,
  lookEveryMs: number,
  limit: number,
): Promise<DueStreams> {
  const [count, pending] = (await TAKE.run(redis, [due], [lookEveryMs, limit])) as [number, string[]];
  return { count, pending };
}

/** The entries of `stream` to be added again. When there are as many as one look takes, the stream is due again at once. */
export async function findUnacknowledged(
  redis: Redis,
  keys: { readonly due: string; readonly retries: string },
  stream: string,
  limits: RedeliveryLimits,
): Promise<readonly UnacknowledgedEntry[]> {
  const { afterMs, maxDoublings } = limits;
  const reply = await FIND.run(redis, [keys.due, keys.retries], [stream, afterMs, maxDoublings]);
  return (reply as readonly (readonly [id: string, fields: readonly string[]])[]).flatMap(([id, fields]) => {
    const key = keyOf(fields);
    return key === undefined ? [] : [{ id, key }];
  });
}

/**
 * Replaces `entries`, each by one of the given type at the end of the stream. One that was acknowledged meanwhile, or replaced by
 * another replica, is left alone. Returns the indices of those replaced.
 */
export async function replaceEntries(
  redis: Redis,
  retries: string,
  stream: string,
  entries: readonly { readonly id: string; readonly key: ResourceKey; readonly type: CompatEntry["type"] }[],
): Promise<readonly number[]> {
  const args = entries.flatMap(({ id, key, type }) => [id, key.resourceGroup, key.kind, key.namespace, key.name, type]);
  return (await REPLACE.run(redis, [retries], [stream, ...args])) as number[];
}

/** The key in an entry; undefined for one that is not of ours. */
function keyOf(fields: readonly string[]): ResourceKey | undefined {
  const values = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length; i += 2) values.set(fields[i] ?? "", fields[i + 1] ?? "");
  const [resourceGroup, kind, namespace, name] = ["resource_group", "kind", "namespace", "name"].map((field) =>
    values.get(field),
  );
  if (resourceGroup === undefined || kind === undefined || namespace === undefined || name === undefined)
    return undefined;
  return { resourceGroup, kind, namespace, name };
}

/** Longer than the longest pause, so that a count outlives the wait of its entry. */
const RETRIES_KEPT_MS = 7_200_000;

const NOW_MS = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)`;

/**
 * XINFO GROUPS answers with names and values in turn. A stream is due no more when every group has been given and has acknowledged
 * all of it; the next entry makes it due again.
 */
const TAKE = new LuaScript(`${NOW_MS}
local due, look_every, limit = KEYS[1], tonumber(ARGV[1]), ARGV[2]

local function is_behind(a, b)
  local a_ms, a_number = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_number = string.match(b, '^(%d+)-(%d+)$')
  if a_ms ~= b_ms then return tonumber(a_ms) < tonumber(b_ms) end
  return tonumber(a_number) < tonumber(b_number)
end

local streams = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, limit)
local pending = {}
for _, stream in ipairs(streams) do
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  local newest = not groups.err and redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  local has_pending, is_open = false, newest and #groups == 0
  for _, reply in ipairs(newest and groups or {}) do
    local group = {}
    for i = 1, #reply, 2 do group[reply[i]] = reply[i + 1] end
    has_pending = has_pending or group.pending > 0
    is_open = is_open or group.pending > 0 or is_behind(group['last-delivered-id'], newest[1])
  end
  if is_open then redis.call('ZADD', due, now + look_every, stream) else redis.call('ZREM', due, stream) end
  if has_pending then pending[#pending + 1] = stream end
end
return { #streams, pending }
`);

/**
 * A group's pending list is in the order of ids, in which entries that wait for a longer pause may stand in front: what was examined
 * last is kept, and the next look goes on behind it. Pending ids without an entry (an operator empties its stream when it starts) are
 * acknowledged: there is nothing left to deliver.
 */
const FIND = new LuaScript(`${NOW_MS}
local due, retries = KEYS[1], KEYS[2]
local stream, after_ms, max_doublings = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local EXAMINED, FOUND, COUNTED, KEPT_MS = 1000, 200, 20000, ${RETRIES_KEPT_MS}

local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err then return {} end
if redis.call('HLEN', retries) > COUNTED then redis.call('DEL', retries) end

local found = {}
for _, reply in ipairs(groups) do
  local group = {}
  for i = 1, #reply, 2 do group[reply[i]] = reply[i + 1] end
  local cursor = 'cursor:' .. group.name
  local start = redis.call('HGET', retries, cursor) or '-'
  local pending = redis.call('XPENDING', stream, group.name, start, '+', EXAMINED)
  local last = nil
  for _, item in ipairs(pending) do
    if #found >= FOUND then break end
    local id, idle = item[1], item[3]
    last = id
    local times = math.min(tonumber(redis.call('HGET', retries, id) or '0'), max_doublings)
    if idle >= after_ms * 2 ^ times then
      local entry = redis.call('XRANGE', stream, id, id)[1]
      if entry then found[#found + 1] = entry else redis.call('XACK', stream, group.name, id) end
    end
  end
  if #pending == EXAMINED and last then redis.call('HSET', retries, cursor, last) else redis.call('HDEL', retries, cursor) end
end
redis.call('PEXPIRE', retries, KEPT_MS)
if #found >= FOUND then redis.call('ZADD', due, now, stream) end
return found
`);

const REPLACE = new LuaScript(`
local retries, stream = KEYS[1], ARGV[1]
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err then return {} end
local replaced = {}
for base = 2, #ARGV, 6 do
  local id, acknowledged = ARGV[base], 0
  for _, reply in ipairs(groups) do
    for i = 1, #reply, 2 do
      if reply[i] == 'name' then acknowledged = acknowledged + redis.call('XACK', stream, reply[i + 1], id) end
    end
  end
  if acknowledged > 0 then
    redis.call('XDEL', stream, id)
    local new = redis.call('XADD', stream, '*', 'resource_group', ARGV[base + 1], 'kind', ARGV[base + 2],
      'namespace', ARGV[base + 3], 'name', ARGV[base + 4], 'type', ARGV[base + 5])
    redis.call('HSET', retries, new, (redis.call('HGET', retries, id) or 0) + 1)
    redis.call('HDEL', retries, id)
    replaced[#replaced + 1] = (base - 2) / 6
  end
end
redis.call('PEXPIRE', retries, ${RETRIES_KEPT_MS})
return replaced
`);
