import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { ownDataDirectory } from "../../examples/data-directory.js";
import { runDirectory } from "../support/run-directory.js";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(runDirectory(), "owned-"));
});

describe("a data directory", () => {
  it("has one instance id in every life, and another than other directories", async () => {
    const first = await ownDataDirectory(directory);
    first.release();
    const second = await ownDataDirectory(directory);
    const other = await ownDataDirectory(join(directory, "of/another/program"));
    expect(second.instanceId).toBe(first.instanceId);
    expect(other.instanceId).not.toBe(first.instanceId);
    second.release();
    other.release();
  });

  it("is refused to a second program, which would share its files, processes and instance id", async () => {
    const owned = await ownDataDirectory(directory);
    await expect(ownDataDirectory(directory)).rejects.toThrow(
      `the examples in ${directory} are run by the process ${process.pid}: stop it, or set RECONCILE_DATA_DIR`,
    );
    owned.release();
    owned.release();
    (await ownDataDirectory(directory)).release();
  });
});
