/** The bench works; how fast anything is, on machines that run tests, says nothing. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";

function bench(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, ["dist/bench/main.js", ...args], { encoding: "utf8", timeout: 90_000 });
}

describe("the bench", { timeout: 100_000 }, () => {
  it("measures ours beside a peer", () => {
    const { status, stdout, stderr } = bench("logs", "--quick");
    expect(stderr).toBe("");
    expect(stdout).toMatch(
      /^\| create, 64 connections +\| [\d,.]+ requests\/s +\| 0 % +\| 4 logs [\d,.]+ \([\d.]+×\)/m,
    );
    expect(status).toBe(0);
  });

  it("names what is wrong with its command line and ends with 2", () => {
    const { status, stderr } = bench("nothing");
    expect(stderr).toContain("there is no question called nothing: --list shows all");
    expect(status).toBe(2);
  });
});
