import type { Contender, Figures, Question } from "../compare.js";
import { type HttpRequests, saturate } from "../load/http-load.js";
import { creates, seed, updates } from "../load/widgets.js";
import type { Stage } from "../stage.js";

const CONNECTIONS = 64;

export const replicas: Question = {
  name: "replicas",
  asks: `What do several writing replicas cost on one machine? ${CONNECTIONS} connections in all, spread over 1, 2 and 4 replicas of one store; a ratio above 1 is how much faster one replica is.`,
  async *compare(stage) {
    const stores: (readonly string[])[] = [];
    for (const count of [1, 2, 4]) stores.push(await startReplicas(stage, count));
    yield { what: `create, ${CONNECTIONS} connections`, contenders: stores.map((urls) => spread(urls, creates)) };
    yield { what: `update, ${CONNECTIONS} connections`, contenders: stores.map((urls) => spread(urls, updates)) };
  },
};

/** Their addresses; their store has what `updates` needs. */
async function startReplicas(stage: Stage, count: number): Promise<readonly string[]> {
  const DATABASE_URL = await stage.database();
  const urls: string[] = [];
  // One after the other: the first makes the store.
  for (let n = 0; n < count; n++) urls.push((await stage.stateManager({ DATABASE_URL })).url);
  await seed(urls[0] ?? "");
  return urls;
}

/** The same load through all of `urls` at once. */
function spread(urls: readonly string[], requestsTo: (url: string) => HttpRequests): Contender {
  return {
    who: urls.length === 1 ? "1 replica" : `${urls.length} replicas`,
    async round(seconds) {
      const loads = urls.map((url) => saturate(requestsTo(url), CONNECTIONS / urls.length, seconds));
      const figures = await Promise.all(loads);
      const all = (name: string) => figures.flatMap((each: Figures) => each[name] ?? []);
      return {
        "requests/s": all("requests/s").reduce((sum, rate) => sum + rate, 0),
        "ms p99": Math.max(...all("ms p99")),
      };
    },
  };
}
