/** Options that stand before a verb as well as behind it, because people write them there; and whether a value follows. */
const TAKES_VALUE: ReadonlyMap<string, boolean> = new Map([
  ...["-n", "--namespace", "-g", "--group", "-o", "--output", "--server", "--context"].map(
    (name) => [name, true] as const,
  ),
  ...["-A", "--all-namespaces"].map((name) => [name, false] as const),
]);

/**
 * The words of a command line with the verb in front: `-n shop get website` is `get -n shop website`. Anything else than these options
 * stays where it is. A verb that has no such option refuses it as it does behind it.
 */
export function verbFirst(words: readonly string[]): readonly string[] {
  let at = 0;
  while (at < words.length) {
    const word = words[at] ?? "";
    const isJoined = /^--[a-z-]+=/.test(word) || /^-[ngo]./.test(word); // --namespace=shop, -nshop
    const name = isJoined ? (/^(--[a-z-]+|-[a-z])/.exec(word)?.[0] ?? "") : word;
    const takesValue = TAKES_VALUE.get(name);
    if (takesValue === undefined || (isJoined && !takesValue)) break;
    at += takesValue && !isJoined ? 2 : 1;
  }
  const verb = words[at];
  if (at === 0 || verb === undefined || verb.startsWith("-")) return words;
  return [verb, ...words.slice(0, at), ...words.slice(at + 1)];
}
