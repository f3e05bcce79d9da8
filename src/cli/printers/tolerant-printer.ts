import { Failure } from "../exit-codes.js";
import { describeFailure } from "../failure-text.js";
import { nameOf } from "../name-of.js";
import { printable } from "../printable.js";
import type { Cli } from "../terminal.js";
import { printEach } from "./print-each.js";
import type { ResourcePrinter } from "./resource-list.js";

/** Names on standard error what `printer` cannot show and goes on; `end` then fails, when all the others are printed. */
export function tolerantPrinter({ err }: Cli, printer: ResourcePrinter): ResourcePrinter {
  let count = 0;
  return {
    print: (rows) =>
      printEach(
        rows,
        (some) => printer.print(some),
        async ({ resource: { key } }, error) => {
          count++;
          const why = printable(describeFailure(error).text);
          await err.write(
            `${err.style("yellow", "warning:")} ${nameOf(key)} in namespace ${printable(key.namespace)} cannot be shown: ${why}\n`,
          );
        },
      ),
    async end() {
      await printer.end();
      if (count > 0) throw new Failure(`${count} could not be shown`);
    },
  };
}
