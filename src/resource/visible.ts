/**
 * Characters that show nothing of themselves and change what stands around them: control characters, which move a cursor; those that
 * turn the direction of text, which make a name read as another (U+202E and its like); line and paragraph separators; halves of
 * surrogate pairs; what is invisible. The joiners U+200C and U+200D stay: scripts and emoji need them, and they move nothing.
 */
const INVISIBLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Writes one character as an escape. */
type Escape = (character: string) => string;

/** Whether a text holds such characters; with `isMultiline`, line breaks and tabs are none. */
export function hasInvisible(text: string, isMultiline = false): boolean {
  return visible(text, isMultiline) !== text;
}

/** A text with escapes in place of such characters, by default those of JSON; line breaks and tabs stay when `isMultiline`. */
export function visible(text: string, isMultiline = false, write: Escape = jsonEscape): string {
  return text.replace(INVISIBLE, (character) =>
    isMultiline && (character === "\n" || character === "\t") ? character : write(character),
  );
}

/** For strings of YAML in double quotes, which have no surrogate pairs. */
export function yamlEscape(character: string): string {
  const codePoint = character.codePointAt(0) ?? 0; // there is one
  return codePoint > 0xffff ? `\\U${hex(codePoint, 8)}` : jsonEscape(character);
}

function jsonEscape(character: string): string {
  return Array.from({ length: character.length }, (_, at) => `\\u${hex(character.charCodeAt(at), 4)}`).join("");
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
