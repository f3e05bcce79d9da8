import { readFileSync } from "node:fs";

/** The version of this program, as package.json says it; empty when there is none, in a bundle for example. */
export const VERSION = readVersion();

/** The file is two folders up, or three: dist/ has the folders of the sources below it. */
function readVersion(): string {
  for (const up of ["../../package.json", "../../../package.json"]) {
    try {
      const { name, version }: { name?: string; version?: string } = JSON.parse(
        readFileSync(new URL(up, import.meta.url), "utf8"),
      );
      if (name === "reconcile-toolkit") return version ?? "";
    } catch {
      // Not there: the next one.
    }
  }
  return "";
}
