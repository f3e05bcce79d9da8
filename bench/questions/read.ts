import type { Contender, Question } from "../compare.js";
import { saturateH2 } from "../load/h2-load.js";
import { saturate } from "../load/http-load.js";
import { openLoop } from "../load/node-load.js";
import { cachedGets, gets, rpcGets, seed } from "../load/widgets.js";
import { rangeRequest, startEtcd } from "../peers/etcd.js";

const OPEN_LOOP_RATE = 1_000;

export const read: Question = {
  name: "read",
  asks: "How fast is a resource of 1 KB read by its key? Strong reads see every acknowledged write; cached ones come from Redis, over Connect JSON, because REST has none.",
  async *compare(stage) {
    const managers = await stage.stateManagers();
    const baseline = (await stage.baseline()).url;
    const plain = (await stage.ceiling("plain-http")).url;
    const etcd = await startEtcd(stage);
    for (const { url } of managers) await seed(url);
    await seed(baseline);
    const rest = [...managers, { who: "baseline", url: baseline }, { who: "plain node:http", url: plain }];
    const ranges: readonly Contender[] =
      etcd === undefined
        ? []
        : [{ who: "etcd range", round: (seconds) => saturateH2(rangeRequest(etcd), 64, seconds) }];

    yield {
      what: "REST get, 64 connections",
      contenders: [
        ...rest.map(({ who, url }) => ({ who, round: (seconds: number) => saturate(gets(url), 64, seconds) })),
        ...ranges,
      ],
    };
    yield {
      what: `REST get, ${OPEN_LOOP_RATE}/s (open loop)`,
      contenders: rest.map(({ who, url }) => ({
        who,
        round: (seconds) => openLoop(gets(url), OPEN_LOOP_RATE, seconds),
      })),
    };
    yield {
      what: "cached get, Connect JSON, 32 connections",
      contenders: [
        ...managers.map(({ who, url }) => ({
          who,
          round: (seconds: number) => saturate(cachedGets(url), 32, seconds),
        })),
        { who: "its strong get", round: (seconds) => saturate(rpcGets(managers[0]?.url ?? ""), 32, seconds) },
      ],
    };
  },
};
