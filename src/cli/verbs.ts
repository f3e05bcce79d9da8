import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Cli } from "./terminal.js";

/** Makes the command of a verb. `exit` sets the exit code of a command that has not failed. */
type CommandFactory = (cli: Cli, exit: (code: number) => void) => CommandUnknownOpts;

/** What `reconcile` can do: enough for its help without loading any of it. */
export interface Verb {
  readonly summary: string;
  readonly group: string;
  readonly load: () => Promise<CommandFactory>;
  /** It stops by its own rules, or leaves Ctrl-C to a program that it runs. */
  readonly ownsSignals?: boolean;
}

const DECLARE = "Declare:";
const LOOK = "Look:";
const OPERATE = "Operate:";
/** The last group of the help. */
export const SET_UP = "Set up:";

/** All verbs, in the order of the help. */
export const VERBS: ReadonlyMap<string, Verb> = new Map(
  Object.entries<Verb>({
    apply: {
      summary: "create or update what files declare",
      group: DECLARE,
      load: async () => (await import("./commands/apply.js")).applyCommand,
    },
    diff: {
      summary: "show what apply would change",
      group: DECLARE,
      load: async () => (await import("./commands/diff.js")).diffCommand,
    },
    edit: {
      summary: "change one resource in your editor",
      group: DECLARE,
      load: async () => (await import("./commands/edit.js")).editCommand,
      ownsSignals: true,
    },
    delete: {
      summary: "delete one resource, or what files declare",
      group: DECLARE,
      load: async () => (await import("./commands/delete.js")).deleteCommand,
    },
    get: {
      summary: "list resources, and follow them",
      group: LOOK,
      load: async () => (await import("./commands/get.js")).getCommand,
    },
    describe: {
      summary: "tell everything about one resource",
      group: LOOK,
      load: async () => (await import("./commands/describe.js")).describeCommand,
    },
    history: {
      summary: "list the changes of one resource",
      group: LOOK,
      load: async () => (await import("./commands/history.js")).historyCommand,
    },
    wait: {
      summary: "wait until one resource is ready, gone, or as a condition says",
      group: LOOK,
      load: async () => (await import("./commands/wait.js")).waitCommand,
    },
    kinds: {
      summary: "list the kinds there are, and how they do",
      group: LOOK,
      load: async () => (await import("./commands/kinds.js")).kindsCommand,
    },
    work: {
      summary: "list what waits for a reconciler or is being worked on",
      group: OPERATE,
      load: async () => (await import("./commands/work.js")).workCommand,
    },
    reconcilers: {
      summary: "list the reconcilers at work",
      group: OPERATE,
      load: async () => (await import("./commands/reconcilers.js")).reconcilersCommand,
    },
    release: {
      summary: "end the quarantine of one resource",
      group: OPERATE,
      load: async () => (await import("./commands/release.js")).releaseCommand,
    },
    "remove-finalizer": {
      summary: "take a finalizer off that nobody else will",
      group: OPERATE,
      load: async () => (await import("./commands/remove-finalizer.js")).removeFinalizerCommand,
    },
    doctor: {
      summary: "check the server and all it stands on",
      group: OPERATE,
      load: async () => (await import("./commands/doctor.js")).doctorCommand,
    },
    dev: {
      summary: "run everything on this machine, with the examples",
      group: SET_UP,
      load: async () => (await import("./commands/dev.js")).devCommand,
      ownsSignals: true,
    },
    serve: {
      summary: "run the server alone",
      group: SET_UP,
      load: async () => (await import("./commands/serve.js")).serveCommand,
      ownsSignals: true,
    },
    config: {
      summary: "keep servers under names",
      group: SET_UP,
      load: async () => (await import("./commands/config.js")).configCommand,
    },
    version: {
      summary: "tell the versions of this program and of the server",
      group: SET_UP,
      load: async () => (await import("./commands/version.js")).versionCommand,
    },
    completion: {
      summary: "print the script that completes words in your shell",
      group: SET_UP,
      load: async () => (await import("./commands/completion.js")).completionCommand,
    },
  }),
);
