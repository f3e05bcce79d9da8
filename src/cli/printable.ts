import { visible } from "../resource/visible.js";

/**
 * What came from a server or a file, as it may be shown: characters that could move the cursor or change what a terminal shows become
 * visible escapes. Line breaks stay when `isMultiline`.
 */
export function printable(text: string, isMultiline = false): string {
  return visible(text, isMultiline);
}
