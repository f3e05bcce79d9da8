/** How the command line ends; docs/cli.md promises these numbers to scripts. */
export const EXIT = {
  ok: 0,
  /** Something was refused or failed. Of `diff`: there is a difference. */
  failed: 1,
  /** The command line or a file is wrong; nothing was sent. Of `diff`: any trouble, as of diff(1). */
  usage: 2,
  /** The server does not answer. */
  unreachable: 3,
  /** What was waited for did not come in time. */
  timeout: 4,
  /** Ctrl-C: 128 and the number of SIGINT. */
  interrupted: 130,
} as const;

/** Ends a command with a text for people. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly exitCode: number;
  /** Lines that stand before the message, each a problem with its place: `site.yaml:3:1: …`. */
  readonly problems: readonly string[];

  constructor(message: string, exitCode: number = EXIT.failed, problems: readonly string[] = []) {
    super(message);
    this.exitCode = exitCode;
    this.problems = problems;
  }
}

/** The command line, a setting or a file is wrong. */
export function usageError(message: string): Failure {
  return new Failure(message, EXIT.usage);
}
