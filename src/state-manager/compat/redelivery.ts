import type { Redis } from "ioredis";
import type { ResourceKey } from "../../resource/key.js";
import type { StreamKeys } from "../log/stream-keys.js";
import type { ResourceReader } from "../store/store.js";
import { appendEntries } from "./append-script.js";
import { type CompatEntry, shardOfStream } from "./compat-entry.js";
import { findUnacknowledged, type RedeliveryLimits, replaceEntries, takeDueStreams } from "./redelivery-scripts.js";

/**
 * An operator has 15 s, then 30 s, 1 min and so on up to 16 min: its own client delivers an entry again after an hour only, and one
 * that it can never acknowledge must not be a load.
 */
export const REDELIVERY: RedeliveryLimits = {
  afterMs: 15_000,
  maxDoublings: 6,
  lookEveryMs: 5_000,
};

/** Streams looked at in one go, and goes in a row: a store may have thousands (I9). */
const STREAMS_AT_A_TIME = 100;
const MAX_ROUNDS = 20;

/** What redelivery works with. */
export interface RedeliveryOptions {
  readonly redis: Redis;
  readonly keys: StreamKeys;
  readonly reader: Pick<ResourceReader, "get">;
  readonly limits: RedeliveryLimits;
  readonly maxLength: number;
}

/**
 * Adds entries again that operators were given and did not acknowledge: they stopped, or could not reach a server. Returns how
 * many. What is added tells of the resource as it is now, because entries about it may have come since: an `update` behind the
 * `delete` of a shard move would give it to the operator of the old shard.
 */
export async function redeliver(options: RedeliveryOptions): Promise<number> {
  const { redis, keys, limits } = options;
  let count = 0;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const looked = await takeDueStreams(redis, keys.compatDue(), limits.lookEveryMs, STREAMS_AT_A_TIME);
    let added = 0;
    for (const stream of looked.pending) added += await redeliverStream(options, stream);
    count += added;
    if (looked.count < STREAMS_AT_A_TIME && added === 0) break;
  }
  return count;
}

async function redeliverStream(
  { redis, keys, reader, limits, maxLength }: RedeliveryOptions,
  stream: string,
): Promise<number> {
  const retries = keys.compatRetries(stream);
  const found = await findUnacknowledged(redis, { due: keys.compatDue(), retries }, stream, limits);
  if (found.length === 0) return 0;
  const shard = shardOfStream(stream);
  const typed = await Promise.all(
    found.map(async (entry) => ({ ...entry, type: await typeOf(reader, entry.key, shard) })),
  );
  const replaced = (await replaceEntries(redis, retries, stream, typed)).flatMap((index) => typed[index] ?? []);
  // A change that was announced between reading and writing stands before what was written: then it is told again. One that is
  // committed from here on is announced behind it.
  const now = await Promise.all(replaced.map(({ key }) => typeOf(reader, key, shard)));
  const changed = replaced.flatMap(({ key, type }, index) => {
    const typeNow = now[index];
    return typeNow === undefined || typeNow === type ? [] : [{ stream, key, type: typeNow }];
  });
  if (changed.length > 0) await appendEntries(redis, maxLength, changed);
  return replaced.length;
}

async function typeOf(
  reader: RedeliveryOptions["reader"],
  key: ResourceKey,
  shard: string,
): Promise<CompatEntry["type"]> {
  const resource = await reader.get(key);
  return resource?.shardId === shard ? "update" : "delete";
}
