import type { Question } from "../compare.js";
import { CLONES_PER_CELL, makePending, storeOf } from "../load/clones.js";
import { openLoop } from "../load/node-load.js";

const RATE = 20;
const PENDING = 1_000;

/** What is asked for, and how many must come. */
const pages = [
  { what: "500 by label selector", query: "limit=500&label_selector=cell%20in%20(c{key})", found: CLONES_PER_CELL },
  { what: "by a selector that selects nothing", query: "limit=500&label_selector=cell%20in%20(none)", found: 0 },
  { what: "100 pending", query: "limit=100&pending=true", found: 100 },
];

export const list: Question = {
  name: "list",
  asks: "How fast are pages of a large store, over REST and with every spec? What a selector selects stands together in order of creation.",
  async *compare(stage) {
    const count = stage.size(300_000);
    const DATABASE_URL = await storeOf(stage, count);
    await makePending(DATABASE_URL, PENDING);
    const { url } = await stage.stateManager({ DATABASE_URL });
    for (const { what, query, found } of pages) {
      const path = `/api/v1/resources?resource_group=bench&kind=widget&${query}`;
      const answer: unknown = await (await fetch(url + path.replace("{key}", "7"))).json();
      if (!Array.isArray(answer) || answer.length !== found) throw new Error(`list ${what} does not find ${found}`);
      const requests = { url, method: "GET", path, keys: count / CLONES_PER_CELL } as const;
      yield {
        what: `list ${what}, of ${count.toLocaleString("en-US")}, ${RATE}/s (open loop)`,
        contenders: [{ who: "state-manager", round: (seconds) => openLoop(requests, RATE, seconds) }],
      };
    }
  },
};
