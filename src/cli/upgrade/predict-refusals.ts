import type { ClientResource } from "../../client/index.js";
import type { Finding } from "../check-up.js";
import { nameOf } from "../name-of.js";

/** Something that older servers store and that this version refuses when it is written again. */
export interface UpgradeCheck {
  /** What is refused, for people: `duplicate keys in JSON`. */
  readonly what: string;
  /** What to do about it, as a command: `write each again with one of the two`. */
  readonly remedy: string;
  /** What is wrong with a stored resource, for example `spec.a is there twice`; undefined when nothing is. */
  readonly find: (resource: ClientResource) => string | undefined;
}

/** More would only scroll. */
const EXAMPLES_MAX = 5;

/**
 * Reads all stored resources, which must have their specs, and says what of them this version would refuse. They are read one
 * by one and not kept: a store may be larger than the memory.
 */
export async function predictRefusals(
  resources: AsyncIterable<ClientResource>,
  checks: readonly UpgradeCheck[],
): Promise<readonly Finding[]> {
  const found = checks.map((check) => ({ check, count: 0, examples: [] as string[] }));
  let total = 0;
  for await (const resource of resources) {
    total++;
    for (const each of found) {
      const problem = each.check.find(resource);
      if (problem === undefined) continue;
      each.count++;
      const { namespace } = resource.key;
      if (each.examples.length < EXAMPLES_MAX)
        each.examples.push(`${nameOf(resource.key)} in ${namespace}: ${problem}`);
    }
  }
  const refused = found.filter(({ count }) => count > 0);
  if (refused.length === 0) return [{ level: "ok", text: `an upgrade would refuse none of the ${total} resources` }];
  return refused.map(({ check: { what, remedy }, count, examples }) => {
    const more = count > examples.length ? `; and ${count - examples.length} more` : "";
    return {
      level: "note",
      text: `an upgrade would refuse ${count} of the ${total} resources when they are written again, for ${what}: ${remedy} (${examples.join("; ")}${more})`,
    };
  });
}
