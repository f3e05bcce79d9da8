import type { Contender, Question } from "../compare.js";
import { statePasses } from "../load/state-passes.js";
import { seed } from "../load/widgets.js";
import { baselinePasses } from "../peers/baseline-passes.js";
import { graphilePasses } from "../peers/graphile-worker.js";
import { pgBossPasses } from "../peers/pg-boss.js";

/** Prepares so many due items, and returns what works them off. Only that is timed. */
export type Backlog = (count: number) => Promise<() => Promise<void>>;

export const queue: Question = {
  name: "queue",
  asks: "How many passes a second does one worker process get through, leased and reported 50 at a time? Ours and the baseline store a status of 200 bytes with each; pg-boss stores it as the job's output, one completion per job; graphile-worker stores nothing, its job is gone.",
  async *compare(stage) {
    const managers = await stage.stateManagers();
    const baseline = (await stage.baseline()).url;
    await seed(baseline);
    yield {
      what: "passes, batches of 50",
      contenders: [
        ...managers.map(({ who, url }) => backlogContender(who, 2_000, statePasses(stage, url))),
        backlogContender("baseline get + put", 250, baselinePasses(baseline)),
        backlogContender("pg-boss", 1_000, await pgBossPasses(stage)),
        backlogContender("graphile-worker", 1_000, await graphilePasses(stage)),
      ],
    };
  },
};

/** `passesPerSecond` makes a round about as long as asked; a faster contender is done sooner. */
export function backlogContender(who: string, passesPerSecond: number, prepare: Backlog): Contender {
  return {
    who,
    async round(seconds) {
      const count = seconds * passesPerSecond;
      const workOff = await prepare(count);
      const startedAt = performance.now();
      await workOff();
      return { "passes/s": (count * 1000) / (performance.now() - startedAt) };
    },
  };
}
