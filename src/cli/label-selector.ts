/**
 * A selector in the server's words, in which `in` is the only operator: `tier=web`, as other tools write it, is `tier in (web)`.
 * What is neither, such as `tier!=web`, is left for the server to refuse.
 */
export function labelSelector(text: string): string {
  return text.replaceAll(EQUALITY, "$<before>$<key> in ($<value>)");
}

/** A requirement outside of parentheses. A label key holds no "=", and a value no comma here. */
const EQUALITY = /(?<before>^|,)\s*(?<key>[^\s=,()]*[^\s=,()!])\s*={1,2}\s*(?<value>[^\s=,()]*)\s*(?=,|$)/g;
