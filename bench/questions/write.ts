import { bareInserts } from "../ceilings/bare-inserts.js";
import { redisXadd } from "../ceilings/redis-xadd.js";
import type { Contender, Question } from "../compare.js";
import { saturateH2 } from "../load/h2-load.js";
import { type HttpRequests, saturate } from "../load/http-load.js";
import { openLoop } from "../load/node-load.js";
import { creates, seed, updates } from "../load/widgets.js";
import { putRequest, startEtcd } from "../peers/etcd.js";

/** Below what the slowest contender can do, so that none waits in a queue that only grows. */
const OPEN_LOOP_RATE = 500;

export const write: Question = {
  name: "write",
  asks: "How fast are creates and updates of 1 KB over REST, each durable, logged and queued for a reconciler before its answer?",
  async *compare(stage) {
    const servers = [...(await stage.stateManagers()), { who: "baseline", url: (await stage.baseline()).url }];
    const etcd = await startEtcd(stage);
    const puts = (connections: number): readonly Contender[] =>
      etcd === undefined
        ? []
        : [{ who: "etcd put", round: (seconds) => saturateH2(putRequest(etcd), connections, seconds) }];
    for (const { url } of servers) await seed(url);

    const rest = (requestsTo: (url: string) => HttpRequests, connections: number): readonly Contender[] =>
      servers.map(({ who, url }) => ({ who, round: (seconds) => saturate(requestsTo(url), connections, seconds) }));
    yield {
      what: "create, 64 connections",
      contenders: [...rest(creates, 64), ...puts(64), await bareInserts(await stage.database()), ...redisXadd(stage)],
    };
    yield { what: "update, 64 connections", contenders: [...rest(updates, 64), ...puts(64)] };
    // Last, because a lone connection asks too seldom to have Node compile what it runs.
    yield { what: "create, 1 connection", contenders: [...rest(creates, 1), ...puts(1)] };
    yield { what: "update, 1 connection", contenders: [...rest(updates, 1), ...puts(1)] };
    yield {
      what: `update, ${OPEN_LOOP_RATE}/s (open loop)`,
      contenders: servers.map(({ who, url }) => ({
        who,
        round: (seconds) => openLoop(updates(url), OPEN_LOOP_RATE, seconds),
      })),
    };
  },
};
