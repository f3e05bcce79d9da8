import type { Contender, Question } from "../compare.js";
import { storeOf } from "../load/clones.js";
import { type HttpRequests, saturate } from "../load/http-load.js";
import { statePasses } from "../load/state-passes.js";
import { creates, gets } from "../load/widgets.js";
import { backlogContender } from "./queue.js";

const SMALL = 10_000;

export const scale: Question = {
  name: "scale",
  asks: "What does a hundred times as many resources cost? Ours is the large store, the peer the small one. Reads go over all resources, in another order than they were created in.",
  async *compare(stage) {
    const stores: { readonly who: string; readonly url: string; readonly count: number }[] = [];
    for (const count of [stage.size(1_000_000), SMALL]) {
      const { url } = await stage.stateManager({ DATABASE_URL: await storeOf(stage, count) });
      stores.push({ who: count.toLocaleString("en-US"), url, count });
    }
    const [large] = stores;
    const loads: readonly (readonly [string, (url: string, count: number) => HttpRequests, number])[] = [
      ["create, 64 connections", creates, 64],
      ["REST get, 64 connections", (url, count) => ({ ...gets(url, "clone-{key}"), keys: count }), 64],
      ["list 100 of one kind, 4 connections", (url) => ({ url, method: "GET", path: PAGE }), 4],
    ];
    for (const [what, requestsTo, connections] of loads)
      yield {
        what: `${what}, ${large?.who} resources`,
        contenders: stores.map(({ who, url, count }): Contender => {
          return { who, round: (seconds) => saturate(requestsTo(url, count), connections, seconds) };
        }),
      };
    yield {
      what: `passes, batches of 50, ${large?.who} resources`,
      contenders: stores.map(({ who, url }) => backlogContender(who, 1_000, statePasses(stage, url))),
    };
  },
};

const PAGE = "/api/v1/resources?resource_group=bench&kind=widget&limit=100";
