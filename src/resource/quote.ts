/** Longest part of a caller's text that an error repeats, in UTF-16 units: an error must not be as big as the request. */
const QUOTED_MAX = 64;

/** How errors quote a caller's text: as a JSON string, so control characters show, and cut when long. */
export function quote(text: string): string {
  return JSON.stringify(cut(text));
}

/** `text`, its end replaced by `…` when long. */
export function cut(text: string): string {
  return text.length <= QUOTED_MAX ? text : `${text.slice(0, QUOTED_MAX)}…`;
}
