import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { type IPty, spawn as openTerminal } from "@lydell/node-pty";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../src/shared/free-port.js";
import { runDirectory } from "../support/run-directory.js";
import { until } from "../support/until.js";

/** Every wait here may be behind the start of a program on a busy machine. */
const PATIENCE = { timeoutMs: 40_000 };
const PROMPT = "ready> ";

it("apply, get -w, edit the file, apply, describe, delete: in a terminal, against what npm start runs", {
  timeout: 120_000,
}, async () => {
  const directory = mkdtempSync(join(runDirectory(), "session-"));
  symlinkSync(resolve("dist/src/cli/main.js"), join(directory, "reconcile"));
  const [serverPort, sitePort] = [await freePort(), await freePort()];
  const env = {
    PATH: `${directory}:${process.env.PATH}`,
    HOME: directory,
    RECONCILE_SERVER: `http://127.0.0.1:${serverPort}`,
    RECONCILE_DATA_DIR: join(directory, "data"),
    SERVER_PORT: String(serverPort),
  };
  await startEverything(directory, env);
  writeFileSync(
    join(directory, "blog.yaml"),
    `group: examples\nkind: website\nname: blog\nspec:\n  port: ${sitePort}\n  html: <h1>First</h1>\n`,
  );

  const follower = new Terminal(directory, env);
  await follower.prompt();
  follower.type("reconcile get website -w");
  await follower.shows(/EVENT +NAME +READY +REASON +OBSERVED +AGE\n +hello +True/);

  const terminal = new Terminal(directory, env);
  await terminal.prompt();
  const run = (command: string) => terminal.run(command);
  expect(await run("reconcile apply -f blog.yaml --wait")).toBe("website/blog created\nwebsite/blog is ready\n");
  await follower.shows(/ADDED +blog/);
  await follower.shows(/MODIFIED +blog +True +Serving +1\/1/);
  expect(terminal.raw).toContain("website/blog \x1b[32mcreated\x1b[39m");

  expect(await run("sed -i -e s/First/Second/ blog.yaml; reconcile diff -f blog.yaml")).toContain(
    "-  html: <h1>First</h1>\n+  html: <h1>Second</h1>\n",
  );
  expect(await run("reconcile apply -f blog.yaml --wait")).toBe("website/blog configured\nwebsite/blog is ready\n");
  await follower.shows(/MODIFIED +blog +True +Serving +2\/2/);
  expect(await (await fetch(`http://127.0.0.1:${sitePort}/`)).text()).toContain("Second");

  const description = await run("reconcile describe website blog");
  expect(description).toContain("Generation:  2, observed 2\n");
  expect(description).toMatch(/Conditions\n {2}Ready True, for \S+ {2}Serving: /);
  expect(description).toContain("spec.html: <h1>First</h1> → <h1>Second</h1>\n");

  expect(await run("reconcile delete website/blog --wait; echo $?")).toMatch(/^website\/blog deleted\n0\n$/);
  await follower.shows(/DELETED +blog/);
  follower.interrupt();
  await follower.prompt();
  expect(await follower.run("echo $?")).toBe("130\n");
  expect(follower.text()).not.toContain("error");
});

it("completes words in bash", { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(join(runDirectory(), "completion-"));
  symlinkSync(resolve("dist/src/cli/main.js"), join(directory, "reconcile"));
  const terminal = new Terminal(directory, { PATH: `${directory}:${process.env.PATH}`, HOME: directory });
  await terminal.prompt();
  // What the package bash-completion has for all scripts.
  await terminal.run(
    `_get_comp_words_by_ref() { cur=\${COMP_WORDS[COMP_CWORD]} words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD; }`,
  );
  await terminal.run("source <(reconcile completion bash)");
  terminal.write("reconcile desc\t");
  await terminal.shows(/reconcile describe/);
});

/** `reconcile dev`, until its sample website is ready; stopped at the end of the test. */
async function startEverything(directory: string, env: NodeJS.ProcessEnv): Promise<void> {
  const child: ChildProcess = spawn(join(directory, "reconcile"), ["dev"], { env, stdio: ["ignore", "pipe", "pipe"] });
  const exit = once(child, "close");
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await exit;
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (data) => (text += data));
  await until(() => /sample .*: http:\S+\n/.test(text), { ...PATIENCE, what: "the sample website is ready" }).catch(
    (cause) => {
      throw new Error(`${text}\n${readFileSync(join(directory, "data", "reconcile.log"), "utf8")}`, { cause });
    },
  );
}

/** A shell in a pseudo-terminal; closed at the end of the test. */
class Terminal {
  /** All it has shown, with the colours. */
  raw = "";
  readonly #pty: IPty;
  #prompts = 0;

  constructor(cwd: string, env: Record<string, string>) {
    const options = { cwd, cols: 200, env: { ...env, PS1: PROMPT, TERM: "xterm" } };
    this.#pty = openTerminal("bash", ["--norc", "--noprofile"], options);
    this.#pty.onData((data) => {
      this.raw += data;
    });
    onTestFinished(() => this.#pty.kill("SIGKILL"));
  }

  /** What a person reads. */
  text(): string {
    return stripVTControlCharacters(this.raw).replaceAll("\r", "");
  }

  write(keys: string): void {
    this.#pty.write(keys);
  }

  type(command: string): void {
    this.write(`${command}\r`);
  }

  interrupt(): void {
    this.write("\x03");
  }

  async shows(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.text()), PATIENCE).catch((cause) => {
      throw new Error(`${pattern} is not in\n${this.text()}`, { cause });
    });
  }

  /** Waits for the next prompt. */
  async prompt(): Promise<void> {
    this.#prompts++;
    const count = () => this.text().split(PROMPT).length - 1;
    await until(() => count() >= this.#prompts, PATIENCE).catch((cause) => {
      throw new Error(`no prompt after\n${this.text()}`, { cause });
    });
  }

  /** Types a command; answers with what stands between it and the next prompt. */
  async run(command: string): Promise<string> {
    const from = this.text().length;
    this.type(command);
    await this.prompt();
    const shown = this.text().slice(from);
    return shown.slice(shown.indexOf("\n") + 1, shown.lastIndexOf(PROMPT));
  }
}
