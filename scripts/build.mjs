// Builds dist/ from src/, gen/, examples/, conformance/ and bench/, with the workers that the tests run, and the dashboard from web/.
//   --if-stale   does nothing while dist/ is newer than all it is made from
//   --no-check   leaves type errors to the gate (npm run check): a test run needs the programs, and fails by itself
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { rolldown } from "rolldown";
import { buildWeb } from "./build-web.mjs";

// Files that the programs read beside their code; tsc copies none of them.
const assets = [
  "src/state-manager/store/migrations",
  // The page at /docs: copied, so that it is there without the dev dependencies.
  "node_modules/openapi-explorer/dist/browser/openapi-explorer.min.js",
  "node_modules/openapi-explorer/LICENSE",
];
// What package.json names under "bin".
const programs = ["src/cli/main.js"];
const sources = [
  ...["src", "gen", "examples", "conformance", "bench", "test/conformance", "test/support", "web"],
  ...["tsconfig.json", "tsconfig.build.json", "package-lock.json"],
];
const stamp = "dist/.built";

if (!process.argv.includes("--if-stale") || isStale()) await build();

// Builds aside and swaps: nothing stale survives, and a program that starts meanwhile finds all of the old or the new.
async function build() {
  const startedAt = new Date();
  // To stderr: what a program prints behind this one may be read by another.
  console.error(
    "building dist/, which takes half a minute on a slow machine; the next start does it only after a change",
  );
  const fresh = `.dist-${process.pid}`;
  const options = ["-p", "tsconfig.build.json", "--outDir", fresh];
  if (process.argv.includes("--no-check")) options.push("--noCheck");
  const { status } = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", ...options], { stdio: "inherit" });
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    process.exit(status ?? 1);
  }
  await bundleCommandLine(join(fresh, "src/cli"));
  await buildWeb(resolve(fresh, "web"));
  for (const program of programs) chmodSync(join(fresh, program), 0o755);
  for (const asset of assets) cpSync(asset, join(fresh, asset), { recursive: true });
  rmSync("dist", { recursive: true, force: true });
  renameSync(fresh, "dist");
  writeFileSync(stamp, "");
  utimesSync(stamp, startedAt, startedAt); // A source changed during the build is newer than it.
}

// With its packages in few files a command starts in two thirds of the time: people feel that. What dev and serve run stays as it is.
async function bundleCommandLine(directory) {
  const external = ["../../dev/main.js", "../../state-manager/run-server.js"];
  const bundle = await rolldown({ input: resolve(directory, "main.js"), platform: "node", external });
  await bundle.write({ dir: directory, format: "esm" });
}

function isStale() {
  if (!existsSync(stamp)) return true;
  const builtAt = statSync(stamp).mtimeMs;
  return sources.some((source) => existsSync(source) && newest(source) > builtAt);
}

function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  const below = readdirSync(path).map((name) => newest(join(path, name)));
  return Math.max(stat.mtimeMs, ...below); // A directory's own time tells of removed files.
}
