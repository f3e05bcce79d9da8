import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Contender } from "../compare.js";
import type { Stage } from "../stage.js";

/** Entries of a round; the time follows from it. */
const ENTRIES = 20_000;

/** The ceiling of a server that appends to a stream for each write: `redis-benchmark`, 64 connections, entries of 1 KB. */
export function redisXadd(stage: Stage): readonly Contender[] {
  if (!stage.has("redis-benchmark")) return [];
  const port = new URL(stage.redisUrl).port;
  const command = ["XADD", "bench", "MAXLEN", "~", "10000", "*", "resource", "x".repeat(1_000)];
  return [
    {
      who: "redis XADD",
      async round() {
        const options = ["-p", port, "-c", "64", "-n", String(ENTRIES), "--csv"];
        const { stdout } = await promisify(execFile)("redis-benchmark", [...options, ...command]);
        const [, rate] = /^"XADD[^"]*","([\d.]+)"/m.exec(stdout) ?? [];
        if (rate === undefined) throw new Error(`redis-benchmark said: ${stdout}`);
        return { "requests/s": Number(rate) };
      },
    },
  ];
}
