import type { Contender, Question } from "../compare.js";
import { saturate } from "../load/http-load.js";
import { SseWatchers } from "../load/sse-watchers.js";
import { seed, updates } from "../load/widgets.js";
import type { Stage } from "../stage.js";

const WATCHERS = [0, 1_000, 5_000];
/** Watchers that connect at a time: a server accepts only so many at once. */
const AT_ONCE = 250;

export const filters: Question = {
  name: "filters",
  asks: "What does a watcher cost that watches something else? Updates of 1 KB over 16 connections, while so many SSE watchers each watch a name of their own, which nobody writes: a server for each.",
  async *compare(stage) {
    const contenders: Contender[] = [];
    for (const count of WATCHERS) contenders.push(await withWatchers(stage, count));
    yield { what: "update, watchers of other names", contenders };
  },
};

async function withWatchers(stage: Stage, count: number): Promise<Contender> {
  const server = await stage.stateManager();
  await seed(server.url);
  const watchers = new SseWatchers((index) => `resource_group=bench&kind=widget&name=other-${index}`);
  for (let open = 0; open < count; open += AT_ONCE) await watchers.open(server.url, Math.min(AT_ONCE, count - open));
  stage.onClear(async () => watchers.close());
  const who = count === 0 ? "no watcher" : `${count.toLocaleString("en-US")} watchers`;
  return { who, round: (seconds) => saturate(updates(server.url), 16, seconds) };
}
