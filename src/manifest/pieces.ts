import { LineCounter } from "yaml";
import { skipValue } from "../resource/json-tokens.js";

/** A part of a text that is read on its own. */
export interface Piece {
  readonly text: string;
  /** Where it begins in the whole text. */
  readonly offset: number;
}

/**
 * The parts in which a text is read: JSON documents one behind another, which are no YAML, one by one; anything else as a
 * whole. Only a text that begins with a whole JSON value and another bracket is taken for the former.
 */
export function piecesOf(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  for (let offset = skipBlank(text, 0); offset < text.length; ) {
    if (!/[{[]/.test(text.charAt(offset))) return [{ text, offset: 0 }];
    const end = skipValue(text, offset);
    const piece = { text: text.slice(offset, end), offset };
    if (pieces.length === 0 && !isJson(piece.text)) return [{ text, offset: 0 }];
    pieces.push(piece);
    offset = skipBlank(text, end);
  }
  return pieces.length > 1 ? pieces : [{ text, offset: 0 }];
}

/** Also passes over a byte order mark. */
function skipBlank(text: string, from: number): number {
  const next = text.slice(from).search(/\S/);
  return next === -1 ? text.length : from + next;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * The text without the byte order marks that stand where a document begins: editors and shells of Windows write them, and
 * `cat` puts them in the middle. Anywhere else one is a character like any other.
 */
export function withoutByteOrderMarks(text: string): string {
  return text.replace(/^\uFEFF(?=---|%)|(^(?:---|\.\.\.)[ \t]*\r?\n)\uFEFF/gm, "$1").replace(/^\uFEFF/, "");
}

/** Tells line and column of every offset of a text. */
export function linesOf(text: string): LineCounter {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) lines.addNewLine(at + 1);
  return lines;
}
