/** A real browser for the few tests that need one, from the Chromium or Chrome of the machine. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const programs = ["chromium", "chromium-browser", "google-chrome"];

/** Where the browser lies; undefined when there is none, and then tests that need it skip themselves by name. */
export const chromiumPath: string | undefined = (process.env.PATH ?? "")
  .split(delimiter)
  .flatMap((place) => programs.map((program) => join(place, program)))
  .find(isExecutable);

/** Starts the browser, headless, with a profile of its own that `close()` removes. */
export function launchChromium(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error(`no browser on PATH: none of ${programs.join(", ")}`);
  // Chromium refuses to run as root with its sandbox, and containers give it little shared memory.
  return chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // Not there, or not for us.
  }
}
