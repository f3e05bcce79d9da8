import type { Contender, Question } from "../compare.js";
import { saturate } from "../load/http-load.js";
import { creates } from "../load/widgets.js";

export const logs: Question = {
  name: "logs",
  asks: "What do several logs cost on one PostgreSQL? Creates as in `write`, spread over 64 shards; a ratio above 1 is how much faster one log is.",
  async *compare(stage) {
    const contenders: Contender[] = [];
    for (const count of [1, 4, 16]) {
      const { url } = await stage.stateManager({ LOG_COUNT: String(count) });
      contenders.push({
        who: count === 1 ? "1 log" : `${count} logs`,
        round: (seconds) => saturate(creates(url, 64), 64, seconds),
      });
    }
    yield { what: "create, 64 connections", contenders };
  },
};
