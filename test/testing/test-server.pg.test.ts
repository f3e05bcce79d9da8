import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, it, onTestFinished } from "vitest";
import { startTestServer } from "../../src/testing/index.js";
import { runDirectory } from "../support/run-directory.js";
import { until } from "../support/until.js";

process.env.XDG_CACHE_HOME = runDirectory(); // the template is made by the first server here

const KEY = { resourceGroup: "test", kind: "thing", namespace: "default", name: "a" };

/** What processes of this test, or any other, have there. */
function directories(pid: number): readonly string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith(`reconcile-testing-${pid}-`));
}

// Each starts servers and the programs around them, on a machine that is busy with other tests.
const options = { timeout: 90_000 };

it("starts a whole server, two at a time, and leaves nothing behind", options, async () => {
  const servers = [await startTestServer(), await startTestServer()];
  for (const { client } of servers) await client.create({ key: KEY, spec: { size: 1 } });
  expect(directories(process.pid)).toHaveLength(2);
  for (const server of servers) {
    await server.close();
    await server.close();
  }
  expect(directories(process.pid)).toEqual([]);
});

it(
  "is removed at the end of a process that does not close it, and after a kill -9 by the next one",
  options,
  async () => {
    const run = (how: string) => {
      const source = `import { startTestServer } from "./dist/src/testing/index.js";
      await startTestServer();
      console.log("started");
      ${how}`;
      const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      onTestFinished(() => void child.kill("SIGKILL"));
      return { child, pid: child.pid ?? 0, exited: once(child, "exit") };
    };
    const forgetful = run("process.exit();");
    await forgetful.exited;
    expect(directories(forgetful.pid)).toEqual([]);

    const killed = run("setInterval(() => {}, 1000);");
    await once(killed.child.stdout, "data");
    killed.child.kill("SIGKILL");
    await killed.exited;
    expect(directories(killed.pid)).toHaveLength(1);
    const next = run("process.exit();");
    await next.exited;
    await until(() => directories(killed.pid).length === 0);
  },
);
