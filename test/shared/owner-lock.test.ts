import { existsSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { OwnerLockHeldError, takeOwnerLock } from "../../src/shared/owner-lock.js";
import { identifyProcess } from "../../src/shared/process-identity.js";
import { runDirectory } from "../support/run-directory.js";

let file: string;
beforeEach(() => {
  file = join(mkdtempSync(join(runDirectory(), "lock-")), "owner.lock");
});

describe("owner lock", () => {
  it("is held until it is given back, also against its own process, and leaves no file behind", async () => {
    const release = await takeOwnerLock(file);
    await expect(takeOwnerLock(file)).rejects.toMatchObject({ name: "OwnerLockHeldError", pid: process.pid });
    release();
    release();
    expect(existsSync(file)).toBe(false);
    (await takeOwnerLock(file))();
  });

  it.each([
    ["a process that has ended", JSON.stringify({ pid: 4_000_000, identity: "x" })],
    ["a stranger with the number of the dead owner", JSON.stringify({ pid: process.pid, identity: "x" })],
    ["nobody: a file cut off by a crash", '{"pid": 1'],
    ["nobody: an empty file", ""],
  ])("is taken over from %s", async (_, text) => {
    writeFileSync(file, text);
    const release = await takeOwnerLock(file);
    await expect(takeOwnerLock(file)).rejects.toThrow(OwnerLockHeldError);
    release();
    expect(readdirSync(join(file, ".."))).toEqual([]);
  });

  it("goes to one of several that find it stale at once", async () => {
    writeFileSync(file, "");
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => takeOwnerLock(file)));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});

describe("process identity", () => {
  it("is stable for a process and unknown for none", () => {
    expect(identifyProcess(process.pid)).toBe(identifyProcess(process.pid));
    expect(identifyProcess(process.pid)).not.toBe(identifyProcess(process.ppid));
    expect(identifyProcess(4_000_000)).toBeUndefined();
  });
});
