import { expect, test } from "vitest";
import type { Command } from "../../../src/resource/command.js";
import type { BatchCommitter } from "../../../src/state-manager/store/commit-batch.js";
import { CommitQueue } from "../../../src/state-manager/store/commit-queue.js";
import { keyOf, registration } from "../work/open-work.js";

/** In how many turns of the event loop the commands of one batch are answered, in order. */
async function answersByTurn(commands: readonly Command[]): Promise<number[]> {
  const committer = {
    canFollow: () => false,
    commit: async (all: readonly Command[]) => ({
      outcomes: all.map(() => ({ type: "done", result: { outcome: "UPDATED", resource: undefined } })),
      batch: { changes: [], due: [], isCollecting: false },
    }),
  };
  const queue = new CommitQueue({
    // The class has private members; the queue calls these two only.
    committer: committer as unknown as BatchCommitter,
    logCount: 1,
    concurrency: 1,
    ensurePartition: async () => {},
    findResource: async () => undefined,
    onCommitted: async () => {},
  });
  const turns: number[] = [];
  let left = commands.length;
  for (const command of commands)
    void queue.enqueue(command, [0]).then(() => {
      turns.push((turns.pop() ?? 0) + 1);
      left--;
    });
  while (left > 0) {
    await new Promise(setImmediate);
    if ((turns.at(-1) ?? 0) > 0) turns.push(0);
  }
  return turns.filter((answers) => answers > 0);
}

function reports(count: number, instanceId: string): Command[] {
  const session = { ...registration({ instanceId }), sessionId: instanceId };
  return Array.from({ length: count }, (_, i) => ({
    type: "report",
    session,
    report: {
      ...{ key: keyOf(`r${i}`), leaseToken: "t", result: { type: "SUCCESS" }, observedGeneration: 1n },
      ...{ statusJson: undefined, statusMode: "REPLACE", conditions: [], addFinalizers: [], removeFinalizers: [] },
      ...{ labels: new Map(), annotations: new Map() },
    },
  }));
}

test("a few answers are given per turn of the event loop, so that replies of the database come in between", async () => {
  const commands = Array.from({ length: 10 }, (_, i) => reports(1, `w${i}`)).flat();
  expect(await answersByTurn(commands)).toEqual([4, 4, 2]);
});

test("the reports of one call are answered in one turn: only the last of them is an answer", async () => {
  expect(await answersByTurn([...reports(50, "a"), ...reports(50, "b")])).toEqual([100]);
});
