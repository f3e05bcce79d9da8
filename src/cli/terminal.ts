import { styleText } from "node:util";

/** What colours and weights mean here; the same everywhere. */
export type Style = Parameters<typeof styleText>[0];

/** Where a command's text goes: what was asked for to `out`, everything else to `err`. */
export interface Output {
  /** Resolves when the reader can take more: a long listing waits for a slow pager instead of filling the memory. */
  write(text: string): Promise<void>;
  /** Coloured when it is a terminal that wants it (NO_COLOR and FORCE_COLOR are followed), else as it is. */
  style(style: Style, text: string): string;
  readonly isTerminal: boolean;
}

/** What a command has of the world. */
export interface Cli {
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadableStream;
  readonly out: Output;
  readonly err: Output;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Writes to a stream of Node. */
export function outputTo(stream: NodeJS.WritableStream): Output {
  return {
    // A reader that has seen enough (EPIPE) is seen to by main.ts.
    write: (text) => new Promise((resolve) => void stream.write(text, () => resolve())),
    style: (style, text) => styleText(style, text, { stream }),
    isTerminal: "isTTY" in stream && stream.isTTY === true,
  };
}
