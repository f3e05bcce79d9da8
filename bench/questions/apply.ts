import { bareRuns } from "../ceilings/bare-runs.js";
import type { Contender, Figures, Question } from "../compare.js";
import { applyInBulk, type BulkProtocol, bulkBody } from "../load/bulk-applies.js";
import { saturateH2 } from "../load/h2-load.js";
import { saturate } from "../load/http-load.js";
import { creates } from "../load/widgets.js";
import { putRequest, startEtcd } from "../peers/etcd.js";

const RESOURCES = 10_000;
const CONNECTIONS = 64;

export const apply: Question = {
  name: "apply",
  asks: `How fast does one call create ${RESOURCES} resources of 1 KB, each durable, logged, published and queued for a reconciler? The clock runs from the first byte of the call to the last of its answer. The peers have no such call: their users send one resource a request over ${CONNECTIONS} connections. The ceiling inserts the same rows into the same tables over one connection, and does nothing else.`,
  async *compare(stage) {
    const { url } = await stage.stateManager();
    const baseline = (await stage.baseline()).url;
    const etcd = await startEtcd(stage);
    const count = stage.size(RESOURCES);
    const ceiling = await bareRuns(stage, count);
    const peers: readonly Contender[] = [
      ceiling,
      {
        who: "baseline",
        round: async (seconds) => perResource(await saturate(creates(baseline), CONNECTIONS, seconds)),
      },
      ...(etcd === undefined
        ? []
        : [
            {
              who: "etcd put",
              round: async (seconds: number) => perResource(await saturateH2(putRequest(etcd), CONNECTIONS, seconds)),
            },
          ]),
    ];
    yield { what: `create ${count} in one call, gRPC`, contenders: [inOneCall(url, count, "gRPC"), ...peers] };
    yield {
      what: `create ${count} in one call, Connect JSON`,
      contenders: [inOneCall(url, count, "Connect JSON"), ceiling],
    };
  },
};

function inOneCall(url: string, count: number, protocol: BulkProtocol): Contender {
  return {
    who: "state-manager",
    async round(seconds) {
      let [applied, busyMs] = [0, 0];
      while (busyMs < seconds * 1000) {
        const body = bulkBody(count, protocol);
        const startedAt = performance.now();
        await applyInBulk(url, body, count, protocol);
        busyMs += performance.now() - startedAt;
        applied += count;
      }
      return { "resources/s": (applied * 1000) / busyMs };
    },
  };
}

function perResource({ "requests/s": rate = 0 }: Figures): Figures {
  return { "resources/s": rate };
}
