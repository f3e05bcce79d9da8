import type { Redis } from "ioredis";
import { LuaScript } from "../log/lua-script.js";
import { type CompatEntry, groupOfStream } from "./compat-entry.js";

/** The lane of all streams that have none of their own. No stream is called so: their names end in `_stream`. */
export const MAIN_LANE = "main";

/** Where the script writes. */
export interface CompatTarget {
  /** The hash of states, by lane. */
  readonly states: string;
  /** The sorted set of streams in which to look for unacknowledged entries. */
  readonly due: string;
  /** Entries a stream keeps, about. */
  readonly maxLength: number;
  /** A stream is looked at this long after it got an entry. */
  readonly lookAfterMs: number;
}

/** One step of a lane: what it writes, and the state it goes on from and to. */
export interface CompatStep {
  readonly lane: string;
  readonly expected: string;
  readonly next: string;
  readonly entries: readonly CompatEntry[];
}

/** What the script found and did. */
export type CompatReply =
  /** All entries are written, but for those of streams with a lane of their own. */
  | { readonly type: "written" }
  /** They are written, and the lane of this one stream is at one with the main lane and gone. */
  | { readonly type: "ended" }
  /** Another replica has moved the lane on, or Redis lost its data. Nothing was written. */
  | { readonly type: "moved"; readonly state: string }
  /** The key of this lane's stream is no stream. Nothing was written. */
  | { readonly type: "refused" };

/** Writes the entries and the lane's next state, if its state still is the expected one. Rejects when Redis refuses a write. */
export async function appendCompat(redis: Redis, target: CompatTarget, step: CompatStep): Promise<CompatReply> {
  const { lane, expected, next, entries } = step;
  const args: (string | number)[] = [lane, expected, next, target.maxLength, target.lookAfterMs];
  for (const { stream, key, type } of entries) {
    args.push(stream, groupOfStream(stream), key.resourceGroup, key.kind, key.namespace, key.name, type);
  }
  // The script below is the only writer of this reply.
  const [type, state] = (await APPEND.run(redis, [target.states, target.due], args)) as [CompatReply["type"], string];
  return type === "moved" ? { type, state } : { type };
}

/** Adds entries that are of no lane, behind what is there. */
export async function appendEntries(redis: Redis, maxLength: number, entries: readonly CompatEntry[]): Promise<void> {
  for (const { stream, key, type } of entries) {
    const { resourceGroup, kind, namespace, name } = key;
    const fields = ["resource_group", resourceGroup, "kind", kind, "namespace", namespace, "name", name, "type", type];
    await redis.xadd(stream, "MAXLEN", "~", maxLength, "*", ...fields);
  }
}

/** The state of every lane, by name. Writes too: a Redis that can only be read is not what the streams need. */
export async function checkCompat(redis: Redis, states: string): Promise<ReadonlyMap<string, string>> {
  const reply = (await CHECK.run(redis, [states], [MAIN_LANE])) as readonly string[];
  const lanes = new Map<string, string>();
  for (let i = 0; i + 1 < reply.length; i += 2) lanes.set(reply[i] ?? "", reply[i + 1] ?? "");
  return lanes;
}

/**
 * The streams are no declared keys: `COMPAT_STREAMS` is refused on a Redis Cluster.
 *
 * A key that is no stream must not hold up the operators of other shards: its stream gets a lane of its own, which stands where the
 * main lane stood before this run, and the main lane leaves it out from then on.
 *
 * The group is made with its stream, because the original's client makes it only when it starts: after Redis lost its data, an
 * operator that runs would read nothing until somebody restarts it.
 */
const APPEND = new LuaScript(`
local states, due = KEYS[1], KEYS[2]
local lane, expected, next_state, max_length, look_after = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local HEADER, WIDTH = 5, 7

local current = redis.call('HGET', states, lane) or ''
if current ~= expected then return { 'moved', current } end

local time = redis.call('TIME')
local look_at = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + look_after

local judged = {}
local function takes_entries(stream, group)
  if judged[stream] ~= nil then return judged[stream] end
  judged[stream] = false
  if lane == '${MAIN_LANE}' and redis.call('HEXISTS', states, stream) == 1 then return false end
  local type = redis.call('TYPE', stream).ok
  if type == 'none' then
    redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
  elseif type ~= 'stream' then
    if lane == '${MAIN_LANE}' then redis.call('HSET', states, stream, expected) end
    return false
  end
  redis.call('ZADD', due, 'NX', look_at, stream)
  judged[stream] = true
  return true
end

for base = HEADER + 1, #ARGV, WIDTH do
  if takes_entries(ARGV[base], ARGV[base + 1]) then
    redis.call('XADD', ARGV[base], 'MAXLEN', '~', max_length, '*', 'resource_group', ARGV[base + 2], 'kind', ARGV[base + 3],
      'namespace', ARGV[base + 4], 'name', ARGV[base + 5], 'type', ARGV[base + 6])
  elseif lane ~= '${MAIN_LANE}' then
    return { 'refused' }
  end
end

if lane ~= '${MAIN_LANE}' then
  local main = string.match(redis.call('HGET', states, '${MAIN_LANE}') or '', '^at (%d+) ')
  local own = string.match(next_state, '^at (%d+) ')
  -- What the main lane writes beyond its own state, this stream gets from it, some of it twice.
  if main and own and tonumber(main) <= tonumber(own) then
    redis.call('HDEL', states, lane)
    return { 'ended' }
  end
end
redis.call('HSET', states, lane, next_state)
return { 'written' }
`);

const CHECK = new LuaScript(`
local main = redis.call('HGET', KEYS[1], ARGV[1])
if main then redis.call('HSET', KEYS[1], ARGV[1], main) end
return redis.call('HGETALL', KEYS[1])
`);
