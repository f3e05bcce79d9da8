// Generates gen/ from proto/. `--check` generates beside it instead and fails when gen/ differs.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyProtoDependencies } from "./proto-deps.mjs";

copyProtoDependencies();
process.exitCode = process.argv.includes("--check") ? check() : generate(".");

function generate(directory) {
  const env = { ...process.env, PATH: `node_modules/.bin:${process.env.PATH}` };
  return spawnSync("buf", ["generate", "--output", directory], { env, stdio: "inherit" }).status ?? 1;
}

function check() {
  const fresh = mkdtempSync(join(tmpdir(), "reconcile-gen-"));
  try {
    if (generate(fresh) !== 0) return 1;
    const [expected, found] = [contents(join(fresh, "gen")), contents("gen")];
    const stale = [...new Set([...expected.keys(), ...found.keys()])].filter((f) => expected.get(f) !== found.get(f));
    for (const file of stale) console.log(`gen/${file} is not what proto/ generates: run "npm run generate"`);
    return stale.length === 0 ? 0 : 1;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function contents(directory) {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((file) => join(file.parentPath, file.name));
  return new Map(paths.map((path) => [path.slice(directory.length + 1), readFileSync(path, "utf8")]));
}
