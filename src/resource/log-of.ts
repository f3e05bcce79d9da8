/**
 * The log of a shard: 0 to `logCount` - 1, the FNV-1a 32-bit hash of the UTF-8 bytes modulo `logCount` (2.3).
 *
 * Part of the stored format: a store whose rows were placed by another function would number one shard in two logs. FNV-1a
 * because every language has it in five lines, so an operator can compute a shard's log without us.
 */
export function logOf(shardId: string, logCount: number): number {
  return logCount === 1 ? 0 : fnv1a32(shardId) % logCount;
}

function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, "utf8")) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
