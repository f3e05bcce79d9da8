import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { describeProblem, RedisHealth } from "../../src/state-manager/redis-health.js";

/** An error as Redis answers with. */
function reply(message: string): Error {
  return Object.assign(new Error(message), { name: "ReplyError" });
}

describe("RedisHealth", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function open() {
    const lines: string[] = [];
    const logger = pino({ level: "info" }, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
    const onReadOnly = vi.fn();
    return { health: new RedisHealth(logger, onReadOnly), onReadOnly, lines };
  }

  it("is what the last outcome of an operation says, and logs one line per outage", async () => {
    const { health, lines } = open();
    await expect(health.watch("notify", () => Promise.reject(reply("NOPERM no channel")))).rejects.toThrow("NOPERM");
    await expect(health.watch("notify", () => Promise.reject(reply("NOPERM no channel")))).rejects.toThrow("NOPERM");
    expect([health.isFailing("notify"), health.isFailing("append")]).toEqual([true, false]);
    expect(await health.watch("notify", async () => 7)).toBe(7);
    expect(health.isFailing("notify")).toBe(false);
    expect(lines).toEqual(["due work cannot be announced", "due work is announced again"]);
  });

  it("takes neither a lost connection nor a foreign key for a refusal", async () => {
    const { health } = open();
    for (const error of [new Error("Connection is closed."), reply("WRONGTYPE Operation against a key")])
      await expect(health.watch("read", () => Promise.reject(error))).rejects.toThrow(error);
    expect(health.problems).toEqual([]);
  });

  it("tries an append while nothing is written, and what fails until it works", async () => {
    const { health } = open();
    let answer = async () => {};
    const append = vi.fn(() => answer());
    const notify = vi.fn(async () => {});
    health.setProbe("append", append);
    health.setProbe("notify", notify);
    await vi.advanceTimersByTimeAsync(2_000);
    expect([append.mock.calls.length, notify.mock.calls.length]).toEqual([1, 0]);
    answer = () => Promise.reject(reply("OOM command not allowed"));
    health.report("notify", reply("NOPERM"));
    await vi.advanceTimersByTimeAsync(2_000);
    expect([health.isFailing("append"), health.isFailing("notify")]).toEqual([true, false]);
    answer = async () => {};
    await vi.advanceTimersByTimeAsync(2_000);
    expect([health.isFailing("append"), notify.mock.calls.length]).toEqual([false, 1]);
    health.close();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(append).toHaveBeenCalledTimes(3);
  });

  it("does not try appends while there are some", async () => {
    const { health } = open();
    const append = vi.fn(async () => {});
    health.setProbe("append", append);
    for (let second = 0; second < 10; second++) {
      health.report("append");
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(append).not.toHaveBeenCalled();
    health.close();
  });

  it("tells at every refusal of a replica that it is one, and to change of hands once", () => {
    const { health, onReadOnly } = open();
    const changes: unknown[] = [];
    health.onChange((use, isFailing) => changes.push([use, isFailing]));
    const old = reply(
      "ERR Error running script: @user_script:1: -READONLY You can't write against a read only replica.",
    );
    for (const error of [reply("READONLY You can't write"), old]) health.report("append", error);
    health.report("append");
    expect(onReadOnly).toHaveBeenCalledTimes(2);
    expect(changes).toEqual([
      ["append", true],
      ["append", false],
    ]);
  });

  it.each([
    ["READONLY You can't write against a read only replica.", /name the primary/],
    ["OOM command not allowed when used memory > 'maxmemory'.", /maxmemory-policy/],
    ["NOPERM User default has no permissions to run the 'evalsha' command", /grant it/],
    ["MISCONF Redis is configured to save RDB snapshots", /disk/],
  ])("says what to do about %s", (message, remedy) => {
    const text = describeProblem({ use: "append", error: reply(message) });
    expect(text).toContain(`change streams cannot be written; writes no longer wait for them (${message})`);
    expect(text).toMatch(remedy);
  });

  it("names a lost connection, not what fails because of it, and what was refused before", () => {
    const { health } = open();
    health.report("append", new Error("Connection is closed."));
    health.report("read", reply("NOPERM"));
    health.report("connect", Object.assign(new AggregateError([], ""), { code: "ECONNREFUSED" }));
    expect(health.problems.map(describeProblem)).toEqual([
      "redis is not connected (ECONNREFUSED)",
      "change streams cannot be read (NOPERM); grant it to the user of REDIS_URL",
    ]);
    health.close();
  });
});
