/** The conformance suite for workers: plays the server for a worker of any language and says which promises it keeps. */
import { readOptions, USAGE } from "./options.js";
import { runScenarios, type Verdict } from "./run-scenarios.js";
import { scenarios } from "./scenarios/index.js";

/** As programs do that were called wrongly; 1 says that promises are broken. */
const EXIT_USAGE = 2;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = readOptions(args);
    const names = new Set(scenarios.map(({ name }) => name));
    const unknown = options.only.filter((name) => !names.has(name));
    if (unknown.length > 0) throw new Error(`there is no promise called ${unknown.join(", ")}: --list shows all`);
    if (options.isList) {
      for (const { name, promise } of scenarios) say(`${name}: ${promise}`);
      return 0;
    }
    const chosen = scenarios.filter(({ name }) => options.only.length === 0 || options.only.includes(name));
    const verdicts: Verdict[] = [];
    await runScenarios(chosen, options.command, options.jobs, (verdict) => {
      verdicts.push(verdict);
      tell(verdict, options.isTrace);
    });
    const kept = verdicts.filter(({ failure }) => failure === undefined).length;
    say(`${kept} of ${verdicts.length} promises are kept`);
    return kept === verdicts.length ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}\n`);
    return EXIT_USAGE;
  }
}

function tell({ scenario, failure, seconds, trace }: Verdict, isTrace: boolean): void {
  const what = `${scenario.name}: ${scenario.promise} (${seconds.toFixed(1)} s)`;
  say(failure === undefined ? `ok     ${what}` : `FAILED ${what}: ${failure}`);
  if (failure !== undefined && isTrace) for (const line of trace) say(`         ${line}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
