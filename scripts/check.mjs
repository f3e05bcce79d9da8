// The gate: everything a commit must pass beside its tests. Runs all steps, two at a time, and reports every failure.
import { spawn } from "node:child_process";
import { copyProtoDependencies } from "./proto-deps.mjs";

const steps = [
  ["types", "tsc", "-p", "."],
  ["types of the dashboard", "tsc", "-p", "web"],
  ["format and lint", "biome", "check", "--error-on-warnings", "."],
  ["proto breaking changes", "node", "scripts/buf-breaking.mjs"],
  ["proto lint", "buf", "lint"],
  ["proto format", "buf", "format", "proto", "--diff", "--exit-code"],
  ["generated code current", "node", "scripts/generate.mjs", "--check"],
  ["unused files, exports, dependencies", "knip", "--treat-config-hints-as-errors"],
  ["links in documents", "node", "scripts/check-links.mjs"],
  ["lockfile", "node", "scripts/check-lockfile.mjs"],
];

copyProtoDependencies();
const waiting = [...steps];
const failed = [];
await Promise.all([runSteps(), runSteps()]);
console.log(failed.length === 0 ? "the gate is passed" : `the gate is not passed: ${failed.join("; ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;

async function runSteps() {
  for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
    const [name, ...command] = step;
    const startedAt = performance.now();
    const { passed, output } = await run(command);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    console.log(`${passed ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
    // Other tools praise themselves at length; our scripts speak only when there is something to know.
    const isWorthReading = !passed || (command[0] === "node" && output !== "");
    if (isWorthReading) console.log(`  $ ${command.join(" ")}\n${output.trimEnd().replace(/^/gm, "  ")}`);
    if (!passed) failed.push(name);
  }
}

/** Runs one command with the project's tools on its PATH; passed means exit code 0. */
function run([program, ...args]) {
  return new Promise((resolve) => {
    const env = { ...process.env, PATH: `node_modules/.bin:${process.env.PATH}`, NO_COLOR: "1" };
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => resolve({ passed: false, output: `${error}` }));
    child.on("close", (code) => resolve({ passed: code === 0, output }));
  });
}
