import { Agent } from "node:http";
import { BATCH, inLanes } from "../load/lanes.js";
import { send } from "../load/node-load.js";
import { STATUS } from "../load/status.js";
import { gets } from "../load/widgets.js";
import type { Backlog } from "../questions/queue.js";

/** A pass without a queue in the server: get the resource, put its status. 50 at a time, as one batch of ours. */
export function baselinePasses(url: string): Backlog {
  const agent = new Agent({ keepAlive: true, maxSockets: BATCH });
  const get = gets(url);
  const body = `{"shard_id":"s0","status":${STATUS}}`;
  const putStatus = { ...get, method: "PUT", path: `${get.path}/status`, body } as const;
  let n = 0;
  return async (count) => () =>
    inLanes(count, BATCH, async () => {
      const mine = n++;
      await send(get, mine, agent);
      await send(putStatus, mine, agent);
      return 1;
    });
}
