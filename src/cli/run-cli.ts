import { once } from "node:events";
import { CommanderError } from "commander";
import { EXIT } from "./exit-codes.js";
import { printable } from "./printable.js";
import { createProgram } from "./program.js";
import type { Cli } from "./terminal.js";

/**
 * Runs one command line, without the name of the program, and answers with the exit code. Never rejects.
 *
 * `listen` is called unless the command has its own way with Ctrl-C: from then on `cli.signal` ends it.
 */
export async function runCli(args: readonly string[], cli: Cli, listen: () => void = () => {}): Promise<number> {
  try {
    const program = await createProgram(args, cli);
    if (program.ownsSignals) return await program.run();
    listen();
    const interrupted = once(cli.signal, "abort").then(() => EXIT.interrupted);
    return await Promise.race([program.run(), interrupted]);
  } catch (error) {
    // commander has said it; help and version are no failures.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { describeFailure } = await import("./failure-text.js"); // with it comes the client, which help does not need
    const { text, exitCode, problems = [] } = describeFailure(error);
    for (const problem of problems) await cli.err.write(`${printable(problem)}\n`);
    await cli.err.write(`${cli.err.style("red", "error:")} ${printable(text, true)}\n`);
    return exitCode;
  }
}
