import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { VERSION } from "../../shared/version.js";
import { checkUp, type Finding } from "../check-up.js";
import { EXIT } from "../exit-codes.js";
import { connectedCommand } from "../options.js";
import type { Cli, Style } from "../terminal.js";
import { withClient } from "../with-client.js";

/** `reconcile doctor`: what is well, what is not, and what to do. */
export function doctorCommand(cli: Cli, exit: (code: number) => void): CommandUnknownOpts {
  return connectedCommand("doctor").action((options) =>
    withClient(cli, options, async (client, place) => {
      const askedAt = Date.now();
      const status = await client.serverStatus();
      const now = new Date((askedAt + Date.now()) / 2); // the server looked at its clock about half-way
      const { kinds } = status.postgres.state === "OK" ? await client.kinds() : { kinds: [] };
      const findings = checkUp({ server: place.server, status, kinds, now, clientVersion: VERSION });
      for (const { level, text } of findings)
        await cli.out.write(`${cli.out.style(STYLES[level], level.padEnd(4))}  ${text}\n`);
      if (findings.some(({ level }) => level === "FAIL")) exit(EXIT.failed);
    }),
  );
}

const STYLES: Readonly<Record<Finding["level"], Style>> = { ok: "green", note: "yellow", FAIL: "red" };
