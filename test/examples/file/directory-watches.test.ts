import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DirectoryWatches } from "../../../examples/file/directory-watches.js";
import { runDirectory } from "../../support/run-directory.js";
import { until } from "../../support/until.js";

let directory: string;
let touched: Set<string>;
let watches: DirectoryWatches;

beforeEach(() => {
  directory = join(mkdtempSync(join(runDirectory(), "watched-")), "directory");
  touched = new Set();
  watches = new DirectoryWatches((path) => touched.add(path));
  fill();
  watches.renew(directory);
});
afterEach(() => watches.close());

describe("directory watches", () => {
  it("tell of files that are made, changed and removed", async () => {
    for (const change of [() => touch("new"), () => touch("a"), () => rmSync(join(directory, "b"))]) change();
    await until(() => touched.size === 3);
    expect([...touched].sort()).toEqual(["a", "b", "new"].map((name) => join(directory, name)));
  });

  it("still tell what happened in a directory that is gone when its watch is renewed", async () => {
    rmSync(directory, { recursive: true });
    watches.renew(directory);
    await until(() => touched.has(join(directory, "a")) && touched.has(join(directory, "b")));
  });

  it("tell what happened in a directory and in the one that took its place", async () => {
    rmSync(directory, { recursive: true });
    fill();
    watches.renew(directory);
    touch("new");
    await until(() => ["a", "b", "new"].every((name) => touched.has(join(directory, name))));
  });

  it("lose nothing while they are renewed", async () => {
    for (let i = 0; i < 100; i++) {
      touch(`${i}`);
      watches.renew(directory);
      if (i % 3 === 0) await turn();
    }
    await until(() => touched.size === 100);
  });

  it("are silent after their end", async () => {
    watches.close(directory);
    watches.close(directory);
    touch("a");
    watches.renew(directory);
    touch("b");
    await until(() => touched.size > 0);
    expect([...touched]).toEqual([join(directory, "b")]);
  });
});

function fill(): void {
  mkdirSync(directory);
  touch("a");
  touch("b");
}

function touch(name: string): void {
  writeFileSync(join(directory, name), "");
}
