import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { ClientKind } from "../../client/index.js";
import { connectedCommand } from "../options.js";
import { showAge } from "../printers/duration.js";
import { formatOption, printRecords } from "../printers/records.js";
import type { Column } from "../printers/table.js";
import type { Cli } from "../terminal.js";
import { withClient } from "../with-client.js";

/** `reconcile kinds`: what there is, and how it does. */
export function kindsCommand(cli: Cli): CommandUnknownOpts {
  return connectedCommand("kinds")
    .addOption(formatOption())
    .action((options) =>
      withClient(cli, options, async (client) => {
        const { kinds } = await client.kinds();
        await printRecords(cli.out, options.output, kinds, COLUMNS);
      }),
    );
}

const COLUMNS: readonly Column<ClientKind>[] = [
  { title: "GROUP", text: ({ resourceGroup }) => resourceGroup },
  { title: "KIND", text: ({ kind }) => kind },
  { title: "RESOURCES", text: ({ resources }) => String(resources) },
  count("PENDING", ({ pending }) => pending),
  count("NOT READY", ({ notReady }) => notReady),
  count("FAILING", ({ failing }) => failing),
  count("QUARANTINED", ({ quarantined }) => quarantined),
  { title: "DUE", text: ({ due }) => String(due) },
  { title: "LEASED", text: ({ leased }) => String(leased) },
  { title: "OLDEST DUE", text: ({ oldestDueAt }) => showAge(oldestDueAt) },
  {
    title: "RECONCILER",
    text: ({ reconciler, sessions }) => (reconciler === "" ? "none" : `${reconciler} × ${sessions}`),
    style: ({ reconciler }) => (reconciler === "" ? "yellow" : undefined),
  },
];

/** A number that is good when it is 0. */
function count(title: string, value: (kind: ClientKind) => number): Column<ClientKind> {
  return { title, text: (kind) => String(value(kind)), style: (kind) => (value(kind) > 0 ? "yellow" : "dim") };
}
