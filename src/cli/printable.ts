/**
 * What came from a server or a file, as it may be shown: control characters, which could move the cursor or change what a
 * terminal shows, become visible escapes. Line breaks stay when `isMultiline`.
 */
export function printable(text: string, isMultiline = false): string {
  return text.replace(/\p{Cc}/gu, (character) => {
    if (isMultiline && (character === "\n" || character === "\t")) return character;
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
