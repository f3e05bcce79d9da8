import { describe, expect, test } from "vitest";
import type { Command } from "../../../src/resource/command.js";
import { DomainError } from "../../../src/resource/errors.js";
import type { ItemOutcome } from "../../../src/state-manager/store/batch-draft.js";
import type { CommittedRun } from "../../../src/state-manager/store/commit-queue.js";
import { CommitRuns } from "../../../src/state-manager/store/commit-runs.js";
import { thing } from "../../support/things.js";

const DONE: ItemOutcome = { type: "done", result: { outcome: "CREATED", resource: undefined, previous: undefined } };
const applies = (count: number, specJson: string | null = null) =>
  Array.from({ length: count }, (_, n): Command => ({ type: "apply", input: thing(`n${n}`, { specJson }) }));

/** What runs were committed, and how many results came back in each. */
async function commit(
  commands: readonly Command[],
  enqueueRun: (run: readonly Command[], logs: readonly number[]) => Promise<readonly ItemOutcome[]>,
  checkOpen = () => {},
) {
  const queue = {
    enqueueRun: async (run: readonly Command[], logs: readonly number[]): Promise<CommittedRun> => {
      return { outcomes: await enqueueRun(run, logs), published: Promise.resolve() };
    },
  };
  const runs = new CommitRuns({ queue, concurrency: 1, logFor: () => 0, checkOpen });
  const sizes: number[] = [];
  for await (const results of runs.submitAll(commands)) sizes.push(results.length);
  return sizes;
}

describe("a sequence of runs", () => {
  test("takes what fits a transaction, by count and by bytes", async () => {
    const all = async (run: readonly Command[]) => run.map(() => DONE);
    const sizes = await commit(applies(1_200), all);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(1_200);
    expect(Math.max(...sizes)).toBe(500);
    expect(await commit(applies(5, JSON.stringify("x".repeat(1_000_000))), all)).toEqual([4, 1]);
  });

  const cutOff = Object.assign(new Error("canceling statement"), { code: "57014" });

  test("tries a call that fits one run as a whole, never in parts: one of two was written when it was cut off", async () => {
    const tried: number[] = [];
    const once = async (run: readonly Command[]) => {
      tried.push(run.length);
      if (tried.length === 1) throw cutOff;
      return run.map(() => DONE);
    };
    expect(await commit(applies(500), once)).toEqual([500]);
    expect(tried).toEqual([500, 500]);
  });

  test("refuses such a call after three tries, and says what to do", async () => {
    const tried: number[] = [];
    const failing = commit(applies(4), async (run) => {
      tried.push(run.length);
      throw cutOff;
    });
    const refusal = { code: "UNAVAILABLE", message: expect.stringContaining("none of them is stored"), cause: cutOff };
    await expect(failing).rejects.toMatchObject({ first: 0, count: 4, refused: undefined, cause: refusal });
    expect(tried).toEqual([4, 4, 4]);
  });

  test("makes the runs of a larger call smaller after one was cut off, for this call only", async () => {
    const tried: number[] = [];
    const slow = async (run: readonly Command[]) => {
      tried.push(run.length);
      if (run.length > 300) throw cutOff;
      return run.map(() => DONE);
    };
    expect(await commit(applies(600), slow)).toEqual([250, 250, 100]);
    expect(tried).toEqual([500, 250, 250, 100]);
  });

  test("ends with the one that is too much alone", async () => {
    const tried: number[] = [];
    const failing = commit(applies(501), async (run) => {
      tried.push(run.length);
      throw cutOff;
    });
    await expect(failing).rejects.toMatchObject({ first: 0, count: 1, refused: undefined });
    expect(tried).toEqual([500, 250, 125, 62, 31, 15, 7, 3, 1]);
  });

  test("takes the logs along in which the resources of a run are found", async () => {
    const tried: (readonly number[])[] = [];
    const sizes = await commit(applies(2), async (run, logs) => {
      tried.push(logs);
      return run.map(() => (logs.includes(3) ? DONE : { type: "elsewhere", log: 3 }));
    });
    expect(tried).toEqual([[0], [0, 3]]);
    expect(sizes).toEqual([2]);
  });

  test("ends between two runs when the store closes", async () => {
    let runs = 0;
    const closed = new DomainError("UNAVAILABLE", "SHUTTING_DOWN", "the server is shutting down");
    const failing = commit(
      applies(1_200),
      async (run) => {
        runs++;
        return run.map(() => DONE);
      },
      () => {
        if (runs === 1) throw closed;
      },
    );
    await expect(failing).rejects.toMatchObject({ first: 500, count: 500, refused: undefined, cause: closed });
  });

  test("names the command that was refused", async () => {
    const cause = new DomainError("FAILED_PRECONDITION", "OWNER_NOT_FOUND", "owner is gone");
    let runs = 0;
    const failing = commit(applies(600), async (run) => {
      const isSecond = ++runs === 2;
      return run.map((_, n) => (isSecond && n === 7 ? { type: "refused", error: cause } : DONE));
    });
    await expect(failing).rejects.toMatchObject({ first: 500, count: 100, refused: 507, cause });
  });
});
