import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { VERSION } from "../../shared/version.js";
import { checkUp, type Finding } from "../check-up.js";
import { EXIT } from "../exit-codes.js";
import { connectedCommand } from "../options.js";
import { printable } from "../printable.js";
import type { Cli, Style } from "../terminal.js";
import { UPGRADE_CHECKS } from "../upgrade/checks.js";
import { predictRefusals } from "../upgrade/predict-refusals.js";
import { withClient } from "../with-client.js";

/** `reconcile doctor`: what is well, what is not, and what to do. */
export function doctorCommand(cli: Cli, exit: (code: number) => void): CommandUnknownOpts {
  const command = connectedCommand("doctor").option("--skip-stored", "do not read what is stored, for a large store");
  return command.action((options) =>
    withClient(cli, options, async (client, place) => {
      const askedAt = Date.now();
      const status = await client.serverStatus();
      const now = new Date((askedAt + Date.now()) / 2); // the server looked at its clock about half-way
      const { kinds } = status.postgres.state === "OK" ? await client.kinds() : { kinds: [] };
      const findings = checkUp({ server: place.server, status, kinds, now, clientVersion: VERSION });
      for (const finding of findings) await say(cli, finding);
      if (status.postgres.state === "OK" && !options.skipStored && UPGRADE_CHECKS.length > 0) {
        for (const finding of await predictRefusals(client.list({}), UPGRADE_CHECKS)) await say(cli, finding);
      }
      if (findings.some(({ level }) => level === "FAIL")) exit(EXIT.failed);
    }),
  );
}

async function say({ out }: Cli, { level, text }: Finding): Promise<void> {
  await out.write(`${out.style(STYLES[level], level.padEnd(4))}  ${printable(text)}\n`);
}

const STYLES: Readonly<Record<Finding["level"], Style>> = { ok: "green", note: "yellow", FAIL: "red" };
