#!/usr/bin/env node
import { EXIT } from "./exit-codes.js";
import { runCli } from "./run-cli.js";
import { outputTo } from "./terminal.js";

const interrupt = new AbortController();
process.stdout.on("error", (error) => {
  // EPIPE: whoever reads has seen enough (`reconcile get website | head`).
  process.exit("code" in error && error.code === "EPIPE" ? EXIT.ok : EXIT.failed);
});

const cli = {
  env: process.env,
  stdin: process.stdin,
  out: outputTo(process.stdout),
  err: outputTo(process.stderr),
  signal: interrupt.signal,
};
const args = process.argv.slice(2);
process.exitCode = await runCli(args, cli, () => process.once("SIGINT", () => interrupt.abort()));
if (interrupt.signal.aborted) {
  if (cli.err.isTerminal) await cli.err.write("\r\x1b[K"); // a half-written line of progress
  process.exit(); // what was interrupted may still wait for something
}
