import { Command } from "commander";
import { VERSION } from "../shared/version.js";
import { EXIT } from "./exit-codes.js";
import type { Cli } from "./terminal.js";
import { verbFirst } from "./verb-first.js";
import { SET_UP, VERBS, type Verb } from "./verbs.js";

/** A command line that was understood. */
export interface Program {
  /** Whether the command has its own way with signals. */
  readonly ownsSignals: boolean;
  /** Answers with the exit code; rejects with what describeFailure knows. */
  run(): Promise<number>;
}

/**
 * Loads the verb that `args` begin with, and of the others only what the help shows: people feel the time that a command takes to
 * start.
 */
export async function createProgram(words: readonly string[], cli: Cli): Promise<Program> {
  const args = verbFirst(words);
  const [first = "", second = ""] = args;
  const wanted = first === "help" ? second : first;
  const isCompleting = first === "complete"; // asked by the script of `reconcile completion`
  let exitCode: number = EXIT.ok;
  const program = new Command("reconcile")
    .description("Declare resources, watch them become real. All commands, settings and exit codes: docs/cli.md.")
    .version(VERSION, "-V, --version", "the version of this program")
    .helpOption(...HELP_OPTION)
    .addHelpCommand(new Command("help").argument("[command]").summary("what a command does").helpGroup(SET_UP))
    .exitOverride()
    .configureOutput({ writeOut: (text) => void cli.out.write(text), writeErr: (text) => void cli.err.write(text) })
    .showHelpAfterError("(--help shows what there is)");
  for (const [name, verb] of VERBS) {
    const command =
      isCompleting || name === wanted ? await load(verb, cli, (code) => (exitCode = code)) : new Command(name);
    for (const each of [command, ...command.commands]) {
      each
        .copyInheritedSettings(program)
        .helpOption(...HELP_OPTION)
        .helpCommand(false);
    }
    if (command.description() === "") command.description(asSentence(verb.summary));
    program.addCommand(command.summary(verb.summary).helpGroup(verb.group));
  }
  if (isCompleting) {
    const { default: tab } = await import("@bomb.sh/tab/commander");
    const { addWords } = await import("./completion-words.js");
    await addWords(tab(program), args.slice(2), cli); // behind `complete --`
  }
  if (first === "help" && second !== "" && !program.commands.some((command) => command.name() === second)) {
    program.error(`error: unknown command '${second}'`);
  }
  return {
    ownsSignals: VERBS.get(wanted)?.ownsSignals === true,
    run: async () => {
      await program.parseAsync(args, { from: "user" });
      return exitCode;
    },
  };
}

const HELP_OPTION = ["-h, --help", "this help"] as const;

function asSentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

async function load(verb: Verb, cli: Cli, exit: (code: number) => void): Promise<Command> {
  const create = await verb.load();
  // The typings that infer a command's options are a package of their own; the objects are commander's.
  return create(cli, exit) as unknown as Command;
}
