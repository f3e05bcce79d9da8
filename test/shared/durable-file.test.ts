import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { writeFileDurably } from "../../src/shared/durable-file.js";
import { runDirectory } from "../support/run-directory.js";

it("replaces a file as a whole, for its owner's eyes only, and leaves no draft", () => {
  const directory = mkdtempSync(join(runDirectory(), "durable-"));
  const file = join(directory, "secret");
  writeFileSync(`${file}.draft`, "left by a crash, and longer than what follows");
  writeFileDurably(file, "one");
  writeFileDurably(file, "two");
  expect(readFileSync(file, "utf8")).toBe("two");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual(["secret"]);
});
