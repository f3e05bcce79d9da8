import { type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import type { ClientListedWork } from "../../client/index.js";
import { Failure } from "../exit-codes.js";
import { unknownKind } from "../known-kinds.js";
import { connectedCommand } from "../options.js";
import { showAge, showTime } from "../printers/duration.js";
import { formatOption, printRecords } from "../printers/records.js";
import type { Column } from "../printers/table.js";
import type { Cli } from "../terminal.js";
import { withClient } from "../with-client.js";

const STATES = ["WAITING", "DUE", "LEASED", "QUARANTINED"] as const;

/** `reconcile work`: the queue. */
export function workCommand(cli: Cli): CommandUnknownOpts {
  return connectedCommand("work")
    .option("-g, --group <name>", "only of this group")
    .option("--kind <kind>", "only of this kind")
    .addOption(new Option("--state <state>", "only in this state").choices(STATES))
    .addOption(formatOption())
    .action((options) =>
      withClient(cli, options, async (client, { group }) => {
        const filter = {
          ...(group !== undefined && { resourceGroup: group }),
          ...(options.kind !== undefined && { kind: options.kind }),
          ...(options.state !== undefined && { state: options.state }),
        };
        const items = [];
        for await (const item of client.listWork(filter)) items.push(item);
        const { kind } = options;
        const unknown = items.length === 0 && kind !== undefined && (await unknownKind(client, [{ kind, group }]));
        if (unknown) throw new Failure(unknown);
        const holders = new Map((await client.reconcilers()).map((session) => [session.sessionId, session.instanceId]));
        await printRecords(cli.out, options.output, items, columns(holders, hasTwoGroups(items)));
      }),
    );
}

/** Whether kinds of one name are of several groups. */
function hasTwoGroups(items: readonly ClientListedWork[]): boolean {
  const groups = new Map(items.map(({ key }) => [key.kind, key.resourceGroup]));
  return items.some(({ key }) => groups.get(key.kind) !== key.resourceGroup);
}

function columns(holders: ReadonlyMap<string, string>, hasGroups: boolean): readonly Column<ClientListedWork>[] {
  return [
    ...(hasGroups ? [{ title: "GROUP", text: ({ key }: ClientListedWork) => key.resourceGroup }] : []),
    { title: "NAMESPACE", text: ({ key }) => key.namespace },
    { title: "KIND", text: ({ key }) => key.kind },
    { title: "NAME", text: ({ key }) => key.name },
    { title: "DUE", text: ({ dueAt }) => showTime(dueAt) },
    { title: "REASON", text: ({ reason }) => reason },
    { title: "PENDING", text: ({ pendingSince }) => showAge(pendingSince) },
    {
      title: "FAILURES",
      text: ({ failures }) => String(failures),
      style: ({ failures }) => (failures > 0 ? "red" : "dim"),
    },
    { title: "HOLDER", text: ({ holderSessionId: id }) => holders.get(id) ?? id },
    { title: "MESSAGE", text: messageOf },
  ];
}

function messageOf({ quarantinedAt, lastError, progress, message }: ClientListedWork): string {
  const quarantine = quarantinedAt === undefined ? "" : `quarantined ${showTime(quarantinedAt)}: `;
  return quarantine + (progress || lastError || message);
}
