import type { Contender, Figures, Question } from "../compare.js";
import { saturate } from "../load/http-load.js";
import { SseWatchers } from "../load/sse-watchers.js";
import { seed, updates } from "../load/widgets.js";
import { processorMs } from "../process-usage.js";
import type { Stage } from "../stage.js";

const WATCHERS = [0, 1_000, 5_000];
/** Watchers that connect at a time: a server accepts only so many at once. */
const AT_ONCE = 250;

export const filters: Question = {
  name: "filters",
  asks: "What does a watcher cost that watches something else? Updates of 1 KB over 16 connections, while none, 1,000 and 5,000 SSE watchers each watch a name of their own, which nobody writes: a server for each number. Its processor time, its bookmarks included, tells more than the rate where others use the machine, too.",
  async *compare(stage) {
    const contenders: Contender[] = [];
    for (const count of WATCHERS) contenders.push(...(await withWatchers(stage, count)));
    yield { what: "update, watchers of other names", contenders };
  },
};

async function withWatchers(stage: Stage, count: number): Promise<readonly Contender[]> {
  const contenders: Contender[] = [];
  for (const { who, url, program } of await stage.stateManagers()) {
    await seed(url);
    const watchers = new SseWatchers((index) => `resource_group=bench&kind=widget&name=other-${index}`);
    for (let open = 0; open < count; open += AT_ONCE) await watchers.open(url, Math.min(AT_ONCE, count - open));
    stage.onClear(async () => watchers.close());
    const round = async (seconds: number): Promise<Figures> => {
      const [startedAt, before] = [performance.now(), processorMs(program.pid)];
      const figures = await saturate(updates(url), 16, seconds);
      const updated = ((figures["requests/s"] ?? 0) * (performance.now() - startedAt)) / 1000;
      return { ...figures, "ms of processor time each": (processorMs(program.pid) - before) / updated };
    };
    contenders.push({ who: `${who}, ${count.toLocaleString("en-US")}`, round });
  }
  return contenders;
}
