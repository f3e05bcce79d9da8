/** The bench works; how fast anything is, on machines that run tests, says nothing. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";

function bench(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, ["dist/bench/main.js", ...args], { encoding: "utf8", timeout: 90_000 });
}

describe("the bench", { timeout: 100_000 }, () => {
  it("measures ours beside peers", () => {
    const { status, stdout, stderr } = bench("logs", "reaction", "--quick");
    expect(stderr).toBe("");
    const measured = stdout.split("\n").map((line) => line.replace(/\d[\d,.]*/g, "N").replace(/ +/g, " "));
    expect(measured).toContain("| create, N connections | N requests/s | N % | N logs N (N×), N logs N (N×) |");
    expect(measured).toContain("| change to handler, N/s | N ms pN | N % | graphile-worker N (N×) |");
    expect(status).toBe(0);
  });

  it("names what is wrong with its command line and ends with 2", () => {
    const { status, stderr } = bench("nothing");
    expect(stderr).toContain("there is no question called nothing: --list shows all");
    expect(status).toBe(2);
  });
});
