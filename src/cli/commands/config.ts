import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { type Context, type Contexts, contextFile, readContexts, writeContexts } from "../context-file.js";
import { usageError } from "../exit-codes.js";
import { checkUrl } from "../place.js";
import { printable } from "../printable.js";
import { Table } from "../printers/table.js";
import type { Cli } from "../terminal.js";

/** `reconcile config`: servers under names, in a file that only its owner may read. */
export function configCommand(cli: Cli): CommandUnknownOpts {
  return new Command("config")
    .description(`Contexts are kept in ${contextFile(cli.env)} (RECONCILE_CONFIG names another file).`)
    .addCommand(setContext(cli))
    .addCommand(useContext(cli))
    .addCommand(getContexts(cli))
    .addCommand(deleteContext(cli));
}

function setContext(cli: Cli) {
  return new Command("set-context")
    .summary("make or change a context; the first one is used at once")
    .argument("<name>")
    .option("--server <url>", "its server")
    .option("-n, --namespace <name>", "the namespace where none is named")
    .option("-g, --group <name>", "the group where none is named")
    .action(async (name, { server, ...defaults }) => {
      const { current, contexts } = readContexts(cli.env);
      const old = contexts.get(name);
      if (old === undefined && server === undefined) throw usageError(`a new context needs its --server`);
      const context = { ...old, ...defaults, server: checkUrl(server ?? old?.server ?? "") };
      writeContexts(cli.env, { current: current ?? name, contexts: new Map([...contexts, [name, context]]) });
      await cli.out.write(`context ${printable(name)} ${old === undefined ? "created" : "changed"}\n`);
    });
}

function useContext(cli: Cli) {
  return new Command("use-context")
    .summary("use a context from now on")
    .argument("<name>")
    .action(async (name) => {
      const { contexts } = readContexts(cli.env);
      checkKnown(contexts, name);
      writeContexts(cli.env, { current: name, contexts });
      await cli.out.write(`context ${printable(name)} is used from now on\n`);
    });
}

function getContexts(cli: Cli) {
  return new Command("get-contexts").summary("list the contexts").action(async () => {
    const { current, contexts } = readContexts(cli.env);
    const table = new Table<readonly [string, Context]>(cli.out, [
      { title: "USED", text: ([name]) => (name === current ? "*" : " ") },
      { title: "NAME", text: ([name]) => name },
      { title: "SERVER", text: ([, { server }]) => server },
      { title: "NAMESPACE", text: ([, { namespace }]) => namespace ?? "" },
      { title: "GROUP", text: ([, { group }]) => group ?? "" },
    ]);
    await table.print([...contexts]);
  });
}

function deleteContext(cli: Cli) {
  return new Command("delete-context")
    .summary("forget a context")
    .argument("<name>")
    .action(async (name) => {
      const { current, contexts } = readContexts(cli.env);
      checkKnown(contexts, name);
      const others = [...contexts].filter(([other]) => other !== name);
      writeContexts(cli.env, { current: current === name ? undefined : current, contexts: new Map(others) });
      await cli.out.write(`context ${printable(name)} deleted\n`);
    });
}

function checkKnown(contexts: Contexts["contexts"], name: string): void {
  if (contexts.has(name)) return;
  throw usageError(`there is no context ${name} (known: ${[...contexts.keys()].join(", ") || "none"})`);
}
