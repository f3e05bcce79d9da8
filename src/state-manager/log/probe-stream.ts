import type { Redis } from "ioredis";
import { LuaScript } from "./lua-script.js";
import type { StreamKeys } from "./stream-keys.js";

/**
 * The commands of the publishing script, on a stream that nobody reads. XADD is the first that writes: a script that has written
 * may go on in a Redis that is out of memory.
 */
const PROBE = new LuaScript(`
redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
redis.call('XADD', KEYS[1], '*', 'probe', '')
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', 1)
redis.call('PEXPIRE', KEYS[1], 60000)
redis.call('XRANGE', KEYS[1], '1-0', '1-0')
return redis.call('DEL', KEYS[1])
`);

/** Appends where it does not count: rejects with what Redis says when changes could not be published. */
export async function probeStream(redis: Redis, keys: StreamKeys): Promise<void> {
  await PROBE.run(redis, [keys.probe()], []);
}
