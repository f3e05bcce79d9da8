// Builds dist/ from src/, gen/, examples/ and conformance/, with the workers that the tests run, and the dashboard from web/.
//   --if-stale   does nothing while dist/ is newer than all it is made from
//   --no-check   leaves type errors to the gate (npm run check): a test run needs the programs, and fails by itself
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

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
  ...["src", "gen", "examples", "conformance", "test/conformance", "web"],
  ...["tsconfig.json", "tsconfig.build.json", "package-lock.json"],
];
const stamp = "dist/.built";

if (!process.argv.includes("--if-stale") || isStale()) build();

// Builds aside and swaps: nothing stale survives, and a program that starts meanwhile finds all of the old or the new.
function build() {
  const startedAt = new Date();
  const fresh = `.dist-${process.pid}`;
  const options = ["-p", "tsconfig.build.json", "--outDir", fresh];
  if (process.argv.includes("--no-check")) options.push("--noCheck");
  run(fresh, "node_modules/typescript/bin/tsc", ...options);
  for (const program of programs) chmodSync(join(fresh, program), 0o755);
  const pages = join(fresh, "web");
  run(fresh, "node_modules/vite/bin/vite.js", "build", "web", "--outDir", resolve(pages), "--logLevel", "warn");
  compress(join(pages, "assets"));
  for (const asset of assets) cpSync(asset, join(fresh, asset), { recursive: true });
  rmSync("dist", { recursive: true, force: true });
  renameSync(fresh, "dist");
  writeFileSync(stamp, "");
  utimesSync(stamp, startedAt, startedAt); // A source changed during the build is newer than it.
}

function run(fresh, ...command) {
  // A test run says `test` here, of which React makes its development version.
  const env = { ...process.env, NODE_ENV: "production" };
  const { status } = spawnSync(process.execPath, command, { stdio: "inherit", env });
  if (status === 0) return;
  rmSync(fresh, { recursive: true, force: true });
  process.exit(status ?? 1);
}

// Once here, instead of for every visitor.
function compress(directory) {
  for (const name of readdirSync(directory)) {
    const content = readFileSync(join(directory, name));
    writeFileSync(join(directory, `${name}.gz`), gzipSync(content, { level: 9 }));
    writeFileSync(join(directory, `${name}.br`), brotliCompressSync(content));
  }
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
