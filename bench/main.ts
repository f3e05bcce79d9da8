/** The bench: what this system does beside what people would use instead, on the same machine in the same run (README.md). */
import { type Question, runComparison } from "./compare.js";
import { type Options, readOptions, USAGE } from "./options.js";
import { questions } from "./questions/index.js";
import { keep } from "./results.js";
import type { Row } from "./row.js";
import { Stage } from "./stage.js";
import { tableOf } from "./table.js";

/** As programs do that were called wrongly; 1 says that a question could not be answered. */
const EXIT_USAGE = 2;

try {
  const options = readOptions(process.argv.slice(2));
  const unknown = options.names.filter((name) => !questions.some((question) => question.name === name));
  if (unknown.length > 0) throw new Error(`there is no question called ${unknown.join(", ")}: --list shows all`);
  const chosen = questions.filter(({ name }) => options.names.length === 0 || options.names.includes(name));
  if (options.isList) for (const { name, asks } of questions) say(`${name}: ${asks}`);
  else await answer(chosen, options).catch(fail);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}\n`);
  process.exitCode = EXIT_USAGE;
}

async function answer(chosen: readonly Question[], { effort, isQuick, before }: Options): Promise<void> {
  const stage = await Stage.open(isQuick, before);
  try {
    for (const question of chosen) {
      say(`\n${question.name}: ${question.asks}`);
      const rows: Row[] = [];
      for await (const comparison of question.compare(stage)) rows.push(...(await runComparison(comparison, effort)));
      say(tableOf(rows));
      for (const reason of stage.skipped) say(`left out: ${reason}`);
      if (!isQuick && before === undefined)
        keep({ name: question.name, asks: question.asks, ...effort, rows, skipped: stage.skipped });
      await stage.clear();
    }
  } finally {
    await stage.close();
  }
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exitCode = 1;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
