/** Character codes that have a meaning in JSON, and how to step over its smallest parts. */
export const CODE = {
  space: 0x20,
  quote: 0x22,
  plus: 0x2b,
  comma: 0x2c,
  minus: 0x2d,
  dot: 0x2e,
  digit0: 0x30,
  digit9: 0x39,
  colon: 0x3a,
  letterCapitalE: 0x45,
  openBracket: 0x5b,
  backslash: 0x5c,
  closeBracket: 0x5d,
  letterE: 0x65,
  letterF: 0x66,
  letterN: 0x6e,
  letterT: 0x74,
  letterU: 0x75,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const;

/** The offset after the string that starts at `at`; the end of the text when it is not terminated. */
export function skipString(text: string, at: number): number {
  let end = text.indexOf('"', at + 1);
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end === -1 ? text.length : end + 1;
}

/** Whether `code` is one of the four characters JSON allows between tokens. */
export function isSpace(code: number): boolean {
  return code === CODE.space || code === 0x0a || code === 0x0d || code === 0x09;
}

function isEscaped(text: string, at: number): boolean {
  let start = at;
  while (text.charCodeAt(start - 1) === CODE.backslash) start--;
  return (at - start) % 2 === 1;
}

/** Whether `code` is 0 to 9. */
export function isDigit(code: number): boolean {
  return code >= CODE.digit0 && code <= CODE.digit9;
}

/** Skips white space, commas and colons: in a valid text they say nothing that the brackets do not. */
export function skipPunctuation(text: string, from: number): number {
  let at = from;
  while (isSpace(text.charCodeAt(at)) || text[at] === "," || text[at] === ":") at++;
  return at;
}

/** The offset after the value at `from`; loops instead of recursing, because an ignored member may be nested at will. */
export function skipValue(text: string, from: number): number {
  let depth = 0;
  let at = from;
  do {
    const character = text[at];
    if (character === '"') {
      at = skipString(text, at);
    } else if (character === "{" || character === "[") {
      depth++;
      at++;
    } else if (character === "}" || character === "]") {
      depth--;
      at++;
    } else if (depth === 0) {
      return skipScalar(text, at);
    } else {
      at++;
    }
  } while (depth > 0 && at < text.length);
  return at;
}

function skipScalar(text: string, from: number): number {
  let at = from;
  while (at < text.length && !isSpace(text.charCodeAt(at)) && !",]}".includes(text.charAt(at))) at++;
  return at;
}
