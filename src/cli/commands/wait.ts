import { type CommandUnknownOpts, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { ConditionStatus } from "../../controlloop/reconciler.js";
import { EXIT, Failure } from "../exit-codes.js";
import { unknownKind } from "../known-kinds.js";
import { nameOf } from "../name-of.js";
import { oneResourceCommand, timeoutOption } from "../options.js";
import { lookUpResource, readingsOf, readNamedTarget } from "../target.js";
import type { Cli } from "../terminal.js";
import { conditionGoal, DELETED, type Goal, READY, waitFor } from "../wait-for.js";
import { withClient } from "../with-client.js";

/** `reconcile wait`: until one resource is as wanted. It need not be there yet. */
export function waitCommand(cli: Cli): CommandUnknownOpts {
  return oneResourceCommand("wait")
    .addOption(
      new Option("--for <goal>", "ready, deleted, condition=TYPE or condition=TYPE=STATUS")
        .argParser(readGoal)
        .default(READY, "ready"),
    )
    .addOption(timeoutOption("how long at most"))
    .action(async (kind, name, options) => {
      const target = readNamedTarget(kind, name);
      await withClient(cli, options, async (client, place) => {
        const found = await lookUpResource(client, place, target);
        const { group, namespace } = place;
        // Of one that is not there, the group need not be known: a watch takes the first that comes.
        const key = found?.key ?? { ...(group !== undefined && { resourceGroup: group }), namespace, ...target };
        const limits = { deadline: performance.now() + options.timeout, signal: cli.signal };
        await waitFor(client, key, options.for, limits).catch(async (error: unknown) => {
          if (!(error instanceof Failure) || error.exitCode !== EXIT.timeout) throw error;
          const unknown = await unknownKind(client, readingsOf(target, place));
          throw unknown === undefined ? error : new Failure(`${error.message}; ${unknown}`, EXIT.timeout);
        });
        await cli.out.write(`${nameOf(target)} is ${options.for.words}\n`);
      });
    });
}

function readGoal(text: string): Goal {
  if (text === "ready") return READY;
  if (text === "deleted") return DELETED;
  const [, type, status = "True"] = /^condition=([^=]+)(?:=(True|False|Unknown))?$/.exec(text) ?? [];
  // The pattern lets nothing else through.
  if (type !== undefined) return conditionGoal(type, status as ConditionStatus);
  throw new InvalidArgumentError(
    "It must be ready, deleted, condition=TYPE, or condition=TYPE=STATUS with True, False or Unknown.",
  );
}
