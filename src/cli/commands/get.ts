import { Argument, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import type { ClientResource, ResourceClient, ResourceSelection } from "../../client/index.js";
import { Failure, usageError } from "../exit-codes.js";
import { nameOf } from "../name-of.js";
import { resourceCommand, selectorOption } from "../options.js";
import type { Place } from "../place.js";
import {
  RESOURCE_FORMATS,
  type ResourceFormat,
  type ResourcePrinter,
  resourcePrinter,
} from "../printers/resource-list.js";
import { tolerantPrinter } from "../printers/tolerant-printer.js";
import { inGroup, readTarget, type Target } from "../target.js";
import type { Cli } from "../terminal.js";
import { withClient } from "../with-client.js";

/** `reconcile get`: lists, page by page, and follows. */
export function getCommand(cli: Cli): CommandUnknownOpts {
  return resourceCommand("get")
    .addArgument(new Argument("[kind]", "a kind, or KIND/NAME; left out, with -A: everything"))
    .argument("[name]", "one resource")
    .option("-A, --all-namespaces", "of all namespaces")
    .addOption(selectorOption("only with these labels"))
    .option("--pending", "only what waits for a reconciler")
    .option("-w, --watch", "follow: print what changes, through restarts of the server, until Ctrl-C")
    .addOption(
      new Option("-o, --output <format>", "how to print it").choices(RESOURCE_FORMATS).default("table" as const),
    )
    .action(async (kind, name, options) => {
      if (kind === undefined && !options.allNamespaces) throw usageError("name a kind, or everything with -A");
      if (options.watch && options.pending) throw usageError("--watch and --pending do not go together: leave one out");
      const target = kind === undefined ? undefined : readTarget(kind, name);
      await withClient(cli, options, async (client, place) => {
        const selection = select(place, target, options);
        const shape = {
          format: options.output,
          isSingle: target?.name !== undefined && !options.allNamespaces,
          hasEvents: options.watch === true,
          hasNamespaces: options.allNamespaces === true,
          hasKinds: kind === undefined,
        };
        const printer = tolerantPrinter(cli, await resourcePrinter(cli.out, shape));
        if (options.watch) return await follow(cli, client, selection, printer, options.output);
        const listing = { pending: options.pending === true, isSummary: isTable(options.output), signal: cli.signal };
        const count = await list(client, selection, printer, listing);
        if (count === 0) await sayNothingFound(cli, client, place, target, options.allNamespaces === true);
      });
    });
}

/** Few at first: the sooner they are on the screen. */
const FIRST_ROWS = 50;
const ROWS_AT_ONCE = 500;

function select(
  place: Place,
  target: Target | undefined,
  options: { allNamespaces?: true; selector?: string },
): ResourceSelection {
  return {
    ...(place.group !== undefined && { resourceGroup: place.group }),
    ...(target !== undefined && { kind: target.kind }),
    ...(target?.name !== undefined && { name: target.name }),
    ...(!options.allNamespaces && { namespace: place.namespace }),
    ...(options.selector !== undefined && { labelSelector: options.selector }),
  };
}

/** Answers with the number of rows. */
async function list(
  client: ResourceClient,
  selection: ResourceSelection,
  printer: ResourcePrinter,
  { signal, ...options }: { readonly pending: boolean; readonly isSummary: boolean; readonly signal: AbortSignal },
): Promise<number> {
  let count = 0;
  let rows: { readonly resource: ClientResource }[] = [];
  const pages = { firstPageSize: FIRST_ROWS, pageSize: ROWS_AT_ONCE };
  for await (const resource of client.list(selection, { ...options, ...pages })) {
    rows.push({ resource });
    count++;
    if (rows.length < (count === rows.length ? FIRST_ROWS : ROWS_AT_ONCE)) continue;
    await printer.print(rows);
    if (signal.aborted) return count;
    rows = [];
  }
  if (rows.length > 0) await printer.print(rows);
  await printer.end();
  return count;
}

/** One that was named and is not there is a failure; a kind that has none is told, with what there is. */
async function sayNothingFound(
  cli: Cli,
  client: ResourceClient,
  place: Place,
  target: Target | undefined,
  isEverywhere: boolean,
): Promise<void> {
  const where = isEverywhere ? "" : ` in namespace ${place.namespace}`;
  if (target?.name !== undefined)
    throw new Failure(`there is no ${nameOf({ ...target, name: target.name })}${where}${inGroup(place)}`);
  const { kinds } = await client.kinds();
  const isKnown = target === undefined || kinds.some(({ kind }) => kind === target.kind);
  const known = [...new Set(kinds.map(({ kind }) => kind))].join(", ") || "none";
  const hint = isKnown ? (isEverywhere ? "" : "; -A looks in all namespaces") : `; kinds there are: ${known}`;
  await cli.err.write(`no ${target?.kind ?? "resources"}${where}${inGroup(place)}${hint}\n`);
}

async function follow(
  cli: Cli,
  client: ResourceClient,
  selection: ResourceSelection,
  printer: ResourcePrinter,
  format: ResourceFormat,
): Promise<void> {
  let isInitial = true;
  const say = (text: string) => void cli.err.write(`${cli.err.style("yellow", text)}\n`);
  const options = {
    sendInitialState: true,
    isSummary: isTable(format),
    signal: cli.signal,
    onConnected: (isConnected: boolean) =>
      say(isConnected ? "connected again" : "the connection was lost; going on when the server answers"),
  };
  for await (const { events } of client.watch(selection, options)) {
    const rows = [];
    for (const event of events) {
      if (event.type === "SYNCED") isInitial = false;
      else if (event.type === "RESYNC") {
        isInitial = true;
        say("the server no longer has what changed meanwhile; everything there is follows once more");
      } else rows.push({ resource: event.resource, event: isInitial ? "" : event.type });
    }
    if (rows.length > 0) await printer.print(rows);
  }
}

/** Tables need no spec. */
function isTable(format: ResourceFormat): boolean {
  return format === "table" || format === "wide" || format === "name";
}
