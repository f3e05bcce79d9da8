// Runs the README's first command for real: `npm ci && npm start` in this checkout. Once built, it must serve within 15 s,
// turn a declared website into one that answers, bring it back when its process is killed, and remove it; end with exit
// code 0 within 10 s of SIGINT, and leave no PostgreSQL behind.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const port = (await canListen(8080)) ? 8080 : await freePort();
const owner = ".reconcile/postgres/owner.lock";
const server = `http://127.0.0.1:${port}`;
const kinds = `${server}/api/v1/groups/examples/namespaces/default/kinds`;
const websites = `${kinds}/website/resources`;
const site = { name: "ci", shard_id: "default", spec: { html: "<h1>It runs</h1>", port: await freePort() } };
const siteUrl = `http://127.0.0.1:${site.spec.port}/`;

execFileSync("npm", ["ci"], { stdio: "inherit" });
// Its types are the gate's: see npm run check.
execFileSync("npm", ["run", "build", "--", "--no-check"], { stdio: "inherit" });
// Nothing but the checkout: no database or Redis of the surroundings.
const { DATABASE_URL, REDIS_URL, ...environment } = process.env;
const npm = spawn("npm", ["start"], { stdio: "inherit", env: { ...environment, SERVER_PORT: String(port) } });
const ended = new Promise((resolve) => npm.once("exit", (code, signal) => resolve(code ?? signal)));
try {
  await until(15_000, "it serves", async () => (await fetch(`${server}/health/ready`)).ok);

  const created = await fetch(websites, { method: "POST", body: JSON.stringify(site) });
  if (created.status !== 201) throw new Error(`the website is refused: ${created.status} ${await created.text()}`);
  await until(30_000, "the website answers", siteAnswers);
  const pid = await until(30_000, "its process is known", async () => {
    return (await (await fetch(`${kinds}/process/resources/${site.name}`)).json()).status.pid;
  });
  process.kill(pid, "SIGKILL");
  // Printed, not held to its usual 0.1 s: test/examples/website does that.
  await until(10_000, "the killed website is back", async () => !isRunning(pid) && (await siteAnswers()));
  await fetch(`${websites}/${site.name}`, { method: "DELETE" });
  await until(30_000, "the website is gone", async () => (await fetch(`${websites}/${site.name}`)).status === 404);

  const stoppedAt = performance.now();
  // To the server alone: a Ctrl-C also reaches npm and its shell, which answer it with an exit code of their own.
  process.kill(serverPid(), "SIGINT");
  const end = await Promise.race([ended, sleep(10_000, "not", { ref: false })]);
  console.log(`ended with ${end} ${((performance.now() - stoppedAt) / 1000).toFixed(1)} s after SIGINT`);
  if (end !== 0) throw new Error("npm start must end with exit code 0 within 10 s of SIGINT");
  if (existsSync(".reconcile/postgres/cluster/postmaster.pid"))
    throw new Error("npm start left its PostgreSQL running");
} finally {
  // Only after a failure is there anything left.
  if (npm.exitCode === null && existsSync(owner)) process.kill(serverPid(), "SIGTERM");
}

/** The server marks the data directory as its own. */
function serverPid() {
  return JSON.parse(readFileSync(owner, "utf8")).pid;
}

async function siteAnswers() {
  return (await (await fetch(siteUrl)).text()) === site.spec.html;
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Waits until `check` answers with something, prints how long that took, and returns it. */
async function until(timeoutMs, what, check) {
  const startedAt = performance.now();
  for (let cause; ; await sleep(20)) {
    if (npm.exitCode !== null) throw new Error(`npm start ended with ${npm.exitCode} before: ${what}`);
    const result = await check().catch((error) => {
      cause = error;
    });
    const tookMs = performance.now() - startedAt;
    if (tookMs > timeoutMs) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`, { cause });
    if (!result) continue;
    console.log(`${what} after ${(tookMs / 1000).toFixed(1)} s`);
    return result;
  }
}

function canListen(port) {
  return new Promise((resolve) => {
    const probe = createServer().once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  return port;
}
