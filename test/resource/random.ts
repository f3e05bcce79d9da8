/** A seeded source of chance (mulberry32): a property test that fails fails again. */
export function randomFrom(seed: number) {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  /** 0 to `below` - 1. */
  const int = (below: number): number => Math.floor(next() * below);
  return {
    int,
    /** `count` times any of `items`, with repetition. */
    pick: <T>(items: readonly T[], count: number): T[] =>
      Array.from({ length: count }, () => items[int(items.length)] as T),
  };
}
