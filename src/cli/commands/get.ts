import { Argument, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import type { ClientResource, ResourceClient, ResourceSelection } from "../../client/index.js";
import { Failure, usageError } from "../exit-codes.js";
import { describeFailure } from "../failure-text.js";
import { firstKnown, unknownKind } from "../known-kinds.js";
import { resourceCommand, selectorOption } from "../options.js";
import type { Place } from "../place.js";
import { printable } from "../printable.js";
import {
  RESOURCE_FORMATS,
  type ResourceFormat,
  type ResourcePrinter,
  resourcePrinter,
} from "../printers/resource-list.js";
import { tolerantPrinter } from "../printers/tolerant-printer.js";
import { inGroup, lookUpResource, notFound, type Reading, readingsOf, readTarget, type Target } from "../target.js";
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
        const isEverywhere = options.allNamespaces === true;
        const reading = target && (await read(client, place, target, isEverywhere));
        const selection = select(place, reading, options);
        const shape = {
          format: options.output,
          isSingle: target?.name !== undefined && !options.allNamespaces,
          hasEvents: options.watch === true,
          hasNamespaces: options.allNamespaces === true,
          hasKinds: kind === undefined,
        };
        const printer = tolerantPrinter(cli, await resourcePrinter(cli.out, shape));
        const sayEmpty = () => sayNothingFound(cli, client, place, target, isEverywhere);
        if (options.watch) return await follow(cli, client, selection, printer, { format: options.output, sayEmpty });
        const listing = { pending: options.pending === true, isSummary: isTable(options.output), signal: cli.signal };
        const count = await list(client, selection, printer, listing);
        if (count === 0) await sayEmpty();
      });
    });
}

/** Few at first: the sooner they are on the screen. */
const FIRST_ROWS = 50;
const ROWS_AT_ONCE = 500;

/** What a target means: of several readings the one that there is something of, else as it stands. */
async function read(client: ResourceClient, place: Place, target: Target, isEverywhere: boolean): Promise<Reading> {
  const readings = readingsOf(target, place);
  const [asItStands, ...others] = readings;
  const { name } = target;
  if (others.length === 0) return asItStands;
  if (name !== undefined && !isEverywhere) {
    const found = await lookUpResource(client, place, { ...target, name });
    return found === undefined ? asItStands : { ...found.key, group: found.key.resourceGroup };
  }
  return (await firstKnown(client, readings)) ?? asItStands;
}

function select(
  place: Place,
  reading: Reading | undefined,
  options: { allNamespaces?: true; selector?: string },
): ResourceSelection {
  const { group, namespace } = reading ?? place;
  return {
    ...(group !== undefined && { resourceGroup: group }),
    ...(reading !== undefined && { kind: reading.kind }),
    ...(reading?.name !== undefined && { name: reading.name }),
    ...(!options.allNamespaces && { namespace }),
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

/** One that was named and is not there is a failure, and so is a kind that is not known; a kind that has none is no failure. */
async function sayNothingFound(
  cli: Cli,
  client: ResourceClient,
  place: Place,
  target: Target | undefined,
  isEverywhere: boolean,
): Promise<void> {
  const where = isEverywhere ? "" : ` in namespace ${place.namespace}`;
  if (target?.name !== undefined) throw await notFound(client, place, { ...target, name: target.name }, where);
  const unknown = target && (await unknownKind(client, readingsOf(target, place)));
  const text = `there is no ${target?.kind ?? "resource"}${where}${inGroup(place)}`;
  if (unknown !== undefined) throw new Failure(`${text}: ${unknown}`);
  await cli.err.write(`${printable(text)}${isEverywhere ? "" : "; -A looks in all namespaces"}\n`);
}

async function follow(
  cli: Cli,
  client: ResourceClient,
  selection: ResourceSelection,
  printer: ResourcePrinter,
  { format, sayEmpty }: { readonly format: ResourceFormat; readonly sayEmpty: () => Promise<void> },
): Promise<void> {
  let isInitial = true;
  let isEmpty = true;
  const say = (text: string) => void cli.err.write(`${cli.err.style("yellow", printable(text))}\n`);
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
      if (event.type === "SYNCED") {
        isInitial = false;
        // It may come: a watch goes on, but a misspelt kind is told.
        if (isEmpty && rows.length === 0) await sayEmpty().catch((error) => say(describeFailure(error).text));
        isEmpty = false;
      } else if (event.type === "RESYNC") {
        isInitial = true;
        say("the server no longer has what changed meanwhile; everything there is follows once more");
      } else rows.push({ resource: event.resource, event: isInitial ? "" : event.type });
    }
    if (rows.length > 0) await printer.print(rows);
    isEmpty &&= rows.length === 0;
  }
}

/** Tables need no spec. */
function isTable(format: ResourceFormat): boolean {
  return format === "table" || format === "wide" || format === "name";
}
