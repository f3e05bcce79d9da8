import tab from "@bomb.sh/tab";
import { Argument, Command, type CommandUnknownOpts } from "@commander-js/extra-typings";

/** `reconcile completion`: prints the script that makes a shell ask `reconcile complete`. */
export function completionCommand(): CommandUnknownOpts {
  return new Command("completion")
    .description(
      "For bash: source <(reconcile completion bash). For zsh the same; for fish: reconcile completion fish | source",
    )
    .addArgument(new Argument("<shell>", "yours").choices(["bash", "zsh", "fish", "powershell"]))
    .action((shell) => tab.setup("reconcile", "reconcile", shell));
}
