import { isAbsolute } from "node:path";

/** The paths that a value of EXAMPLES_PROCESS_ALLOW lists, separated by commas, and a sentence for each that is wrong. */
export function readAllowedScripts(setting = ""): {
  readonly scripts: readonly string[];
  readonly problems: readonly string[];
} {
  const paths = setting.split(",").map((path) => path.trim());
  const scripts = paths.filter((path) => path !== "");
  const wrong = scripts.filter((path) => !isAbsolute(path) || !/\.[cm]?js$/.test(path));
  const rule = "EXAMPLES_PROCESS_ALLOW must list absolute paths of .js, .mjs or .cjs files separated by commas";
  return { scripts, problems: wrong.map((path) => `${rule} (got ${JSON.stringify(path)})`) };
}
