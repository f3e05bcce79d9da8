import { execFile } from "node:child_process";
import { expect, test } from "vitest";
import { freePort } from "../../src/shared/free-port.js";
import { startProgram } from "../support/processes.js";
import { until } from "../support/until.js";

const RECONCILE = "dist/src/cli/main.js";

/** As a user runs it: exit code and what was said. */
function run(command: readonly string[], env: NodeJS.ProcessEnv): Promise<{ code: unknown; err: string }> {
  const [file = "", ...args] = command;
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env }, timeout: 25_000 };
    execFile(file, args, options, (error, _, err) => resolve({ code: error === null ? 0 : error.code, err }));
  });
}

const COMMANDS = {
  "reconcile serve": [process.execPath, RECONCILE, "serve"],
  "npm run serve": ["npm", "run", "--silent", "serve"],
  "the program itself": [process.execPath, "dist/src/state-manager/main.js"],
  "reconcile dev": [process.execPath, RECONCILE, "dev"],
} as const;

test.each(Object.entries(COMMANDS))(
  "%s ends with 1 and a line for each problem when a setting is wrong",
  async (_, command) => {
    const { code, err } = await run(command, { DATABASE_URL: "mysql://x", SERVER_PORT: "abc" });
    expect(err).toMatch(/^SERVER_PORT must be a whole number .*\nDATABASE_URL must be a URL that begins with .*\n$/);
    expect(code).toBe(1);
  },
);

test("serve ends with 1 and one line when PostgreSQL is away and it is not to wait", async () => {
  const { code, err } = await run(COMMANDS["reconcile serve"], {
    DATABASE_URL: `postgres://u:s3cret@127.0.0.1:${await freePort()}/d`,
    DATABASE_WAIT_SECONDS: "0",
    SERVER_PORT: "0",
  });
  expect(err).toMatch(/^PostgreSQL does not answer \(connect ECONNREFUSED .*\): check that it runs .*\n$/);
  expect(err).not.toContain("s3cret");
  expect(code).toBe(1);
});

test("serve ends with 2 when its command line is wrong", async () => {
  expect((await run([...COMMANDS["reconcile serve"], "--nope"], {})).code).toBe(2);
});

test("a server that waits for PostgreSQL ends with 0 when it is told to", async () => {
  const env = { DATABASE_URL: `postgres://u:p@127.0.0.1:${await freePort()}/d`, SERVER_PORT: "0" };
  const program = startProgram(RECONCILE, { env, args: ["serve"] });
  const isWaiting = ({ msg }: { readonly msg?: unknown }) => msg === "waiting for PostgreSQL";
  await until(() => program.lines.some(isWaiting), { timeoutMs: 20_000, what: "it waits" });
  program.signal("SIGTERM");
  expect(await program.exited).toBe(0);
  expect(program.noise).toEqual([]);
  expect(program.lines.filter(isWaiting)).toHaveLength(1);
});
