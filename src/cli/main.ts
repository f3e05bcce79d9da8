#!/usr/bin/env node
import { EXIT } from "./exit-codes.js";
import { runCli } from "./run-cli.js";
import { outputTo } from "./terminal.js";

const interrupt = new AbortController();
// Whoever reads has seen enough (`reconcile get website | head`).
process.stdout.on("error", () => process.exit(EXIT.ok));

const cli = {
  env: process.env,
  stdin: process.stdin,
  out: outputTo(process.stdout),
  err: outputTo(process.stderr),
  signal: interrupt.signal,
};
const args = process.argv.slice(2);
process.exitCode = await runCli(args, cli, () => process.once("SIGINT", () => interrupt.abort()));
if (interrupt.signal.aborted) process.exit(); // what was interrupted may still wait for something
