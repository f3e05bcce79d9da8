import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { connect } from "../../src/client/connect.js";
import { freePort } from "../../src/shared/free-port.js";
import { identifyProcess } from "../../src/shared/process-identity.js";
import { runDirectory } from "../support/run-directory.js";
import { until } from "../support/until.js";

interface Started {
  readonly process: ChildProcess;
  readonly text: () => string;
  readonly exit: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

let dataDir: string;
let serverPort: number;
const started: Started[] = [];

beforeEach(async () => {
  dataDir = mkdtempSync(join(runDirectory(), "dev-"));
  serverPort = await freePort();
});
afterEach(async () => {
  for (const { process, exit } of started.splice(0)) {
    process.kill("SIGTERM");
    await exit;
  }
});

// Every test starts the whole product, from an empty directory, on a machine that is busy with other tests.
describe("npm start", { timeout: 60_000 }, () => {
  it("runs everything from an empty directory, says so in under 20 lines, and leaves nothing running", async () => {
    const program = start();
    const url = await sampleUrl(program);
    expect(program.text().trim().split("\n").length).toBeLessThan(20);
    expect(await (await fetch(url)).text()).toContain("Declared, and therefore here");
    const metrics = await (await fetch(`http://127.0.0.1:${serverPort}/metrics`)).text();
    expect(metrics).toMatch(/^controlloop_reconcile_total{controller="website-example",result="success"} \d+$/m);
    expect(metrics).toMatch(/^workqueue_adds_total{/m);
    const pids = runningPids();
    expect(pids.length).toBe(2);

    const before = performance.now();
    program.process.kill("SIGINT");
    expect(await program.exit).toEqual({ code: 0, signal: null });
    expect(performance.now() - before).toBeLessThan(10_000);
    expect(pids.map(identifyProcess)).toEqual([undefined, undefined]);
  });

  it("goes on after kill -9: the same data and website, no process twice, and no lease waits for its session to expire", async () => {
    const killed = start();
    const url = await sampleUrl(killed);
    const pids = runningPids();
    const before = await sessionsByName();
    killed.process.kill("SIGKILL");
    await killed.exit;
    started.pop();

    const program = start();
    expect(await sampleUrl(program)).toBe(url);
    expect(await (await fetch(url)).text()).toContain("Declared, and therefore here");
    expect(runningPids().length).toBe(2);
    const strays = pids.filter((pid) => identifyProcess(pid) !== undefined && !runningPids().includes(pid));
    expect(strays).toEqual([]);
    // The sessions of the killed run are fenced: there are as many as before, and none of the old ones.
    const after = await until(
      async () => {
        const sessions = await sessionsByName();
        const fresh = sessions.filter(({ sessionId }) => !before.some((old) => old.sessionId === sessionId));
        return fresh.length === before.length && sessions;
      },
      { timeoutMs: 30_000, what: "the reconcilers have registered again" },
    );
    expect(after.map(instance)).toEqual(before.map(instance));
  });

  it("keeps its directory from another run, and exits at a second Ctrl-C, but not at the echo that npm adds to the first", async () => {
    const first = start();
    await sampleUrl(first);
    const port = serverPort;
    serverPort = await freePort();
    const second = start();
    expect((await second.exit).code).toBe(1);
    expect(second.text()).toContain(`is in use by the running process ${first.process.pid}`);
    expect(second.text()).toContain("RECONCILE_DATA_DIR");
    expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200);

    first.process.kill("SIGINT");
    first.process.kill("SIGINT");
    expect((await first.exit).code).toBe(0);
  });

  it("names a wrong EXAMPLES_PROCESS_ALLOW together with other wrong settings, before anything is started", async () => {
    const program = start({ EXAMPLES_PROCESS_ALLOW: "/bin/sh", LOG_LEVEL: "loud" });
    expect((await program.exit).code).toBe(1);
    const lines = program.text().trimEnd().split("\n");
    expect(lines.map((line) => line.split(" ")[0])).toEqual(["EXAMPLES_PROCESS_ALLOW", "LOG_LEVEL"]);
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it("names SERVER_PORT in one line when the port is taken", async () => {
    const stranger = createServer().listen(serverPort, "127.0.0.1");
    onTestFinished(() => void stranger.close());
    await once(stranger, "listening");
    const unlucky = start();
    expect((await unlucky.exit).code).toBe(1);
    expect(unlucky.text()).toMatch(new RegExp(`^starting .*\nSERVER_PORT ${serverPort} .*\n$`));
  });
});

function start(settings: Readonly<Record<string, string>> = {}): Started {
  const child = spawn(process.execPath, [resolve("dist/src/dev/main.js")], {
    env: { PATH: process.env.PATH, RECONCILE_DATA_DIR: dataDir, SERVER_PORT: String(serverPort), ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (text += data));
  const exit = once(child, "close").then(([code, signal]) => ({ code, signal }));
  const program = { process: child, text: () => text, exit };
  started.push(program);
  return program;
}

function instance({ name, instanceId }: { readonly name: string; readonly instanceId: string }): string {
  return `${name} ${instanceId}`;
}

/** The live sessions of the running server. */
async function sessionsByName() {
  const connection = connect(`http://127.0.0.1:${serverPort}`);
  try {
    return (await connection.reconcilers.listReconcilers({})).sessions;
  } finally {
    connection.close();
  }
}

function sampleUrl(program: Started): Promise<string> {
  const url = () => /sample .*: (http:\S+)\n/.exec(program.text())?.[1];
  return until(url, { timeoutMs: 40_000, what: "the sample website is ready" }).catch((cause) => {
    throw new Error(`${program.text()}\n${readFileSync(join(dataDir, "reconcile.log"), "utf8")}`, { cause });
  });
}

/** PostgreSQL and the example processes. */
function runningPids(): number[] {
  const postgres = Number(readFileSync(join(dataDir, "postgres/cluster/postmaster.pid"), "utf8").split("\n")[0]);
  const directory = join(dataDir, "processes");
  const files = existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith(".json")) : [];
  const pids = files.map((name) => JSON.parse(readFileSync(join(directory, name), "utf8")).pid);
  return [postgres, ...pids].filter((pid) => identifyProcess(pid) !== undefined);
}
