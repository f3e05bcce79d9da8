// Compares proto/ with the one it replaces and fails on a change that breaks clients.
//
// The base is $BREAKING_BASE, else the fork point from origin/main, else the previous commit. It is checked out beside
// and compiled there, because `buf breaking --against .git` cannot see the imports that lie in node_modules.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { copyProtoDependencies } from "./proto-deps.mjs";

const git = (...args) => execFileSync("git", args, { encoding: "utf8", stdio: "pipe" }).trim();
const answers = (...args) => spawnSync("git", args, { stdio: "ignore" }).status === 0;

copyProtoDependencies();
const base = findBase();
if (base === undefined) console.log("nothing to compare with: HEAD has no parent here");
else if (!answers("cat-file", "-e", `${base}:proto`)) console.log(`nothing to compare with: no proto/ in ${base}`);
else process.exitCode = compare(base);

function findBase() {
  if (process.env.BREAKING_BASE) return git("rev-parse", "--verify", `${process.env.BREAKING_BASE}^{commit}`);
  const head = git("rev-parse", "HEAD");
  const isForked = answers("merge-base", "HEAD", "origin/main");
  const fork = isForked ? git("merge-base", "HEAD", "origin/main") : head;
  if (fork !== head) return fork;
  return answers("rev-parse", "--verify", "HEAD~1^{commit}") ? git("rev-parse", "HEAD~1") : undefined;
}

function compare(commit) {
  const directory = mkdtempSync(join(tmpdir(), "reconcile-breaking-"));
  const tree = join(directory, "tree");
  const image = join(directory, "base.binpb");
  const buf = (cwd, ...args) =>
    spawnSync(resolve("node_modules/.bin/buf"), args, { cwd, stdio: "inherit" }).status ?? 1;
  try {
    git("worktree", "add", "--detach", tree, commit);
    symlinkSync(resolve("node_modules"), join(tree, "node_modules"));
    // The third-party module is left out on both sides (--exclude-imports): its changes are not ours.
    if (buf(tree, "build", "proto", "-o", image) !== 0) return 1;
    return buf(".", "breaking", "proto", "--against", image, "--exclude-imports") === 0 ? 0 : 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
    git("worktree", "prune");
  }
}
