import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { ClientSession } from "../../client/index.js";
import { connectedCommand } from "../options.js";
import { showTime } from "../printers/duration.js";
import { formatOption, printRecords } from "../printers/records.js";
import type { Column } from "../printers/table.js";
import type { Cli } from "../terminal.js";
import { withClient } from "../with-client.js";

/** `reconcile reconcilers`: the live sessions. */
export function reconcilersCommand(cli: Cli): CommandUnknownOpts {
  return connectedCommand("reconcilers")
    .addOption(formatOption())
    .action((options) =>
      withClient(cli, options, async (client) => {
        await printRecords(cli.out, options.output, await client.reconcilers(), COLUMNS);
      }),
    );
}

const COLUMNS: readonly Column<ClientSession>[] = [
  { title: "NAME", text: ({ name }) => name },
  { title: "INSTANCE", text: ({ instanceId }) => instanceId },
  { title: "LANGUAGE", text: ({ language }) => language },
  { title: "KINDS", text: ({ kinds }) => kinds.map(({ resourceGroup, kind }) => `${resourceGroup}/${kind}`).join(",") },
  { title: "LEASES", text: ({ leases, concurrency }) => `${leases}/${concurrency}` },
  { title: "PASSES", text: ({ passes }) => String(passes) },
  {
    title: "FAILED",
    text: ({ failedPasses }) => String(failedPasses),
    style: ({ failedPasses }) => (failedPasses > 0 ? "red" : "dim"),
  },
  { title: "LAST SEEN", text: ({ lastSeenAt }) => showTime(lastSeenAt) },
  { title: "STARTED", text: ({ registeredAt }) => showTime(registeredAt) },
];
