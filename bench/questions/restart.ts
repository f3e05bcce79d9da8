import { connect } from "../../src/client/connect.js";
import type { Question } from "../compare.js";
import { makePending, storeOf } from "../load/clones.js";
import { registration } from "../load/state-passes.js";

export const restart: Question = {
  name: "restart",
  asks: "How long from starting the process until it serves, and from then until a worker holds 50 leases (it registers first)? The store is large, and a tenth of it is due.",
  async *compare(stage) {
    const count = stage.size(1_000_000);
    const pending = count / 10;
    const DATABASE_URL = await storeOf(stage, count);
    await makePending(DATABASE_URL, pending);
    const round = async () => {
      const startedAt = performance.now();
      const { url, program } = await stage.stateManager({ DATABASE_URL });
      const servesAt = performance.now();
      const { reconcilers, close } = connect(url);
      const { sessionId } = await reconcilers.register(registration);
      const { items } = await reconcilers.lease({ sessionId, maxItems: 50 });
      const leasedAt = performance.now();
      if (items.length < 50) throw new Error(`${items.length} items were leased, not 50`);
      await reconcilers.deregister({ sessionId });
      close();
      await program.kill();
      return { "ms until it serves": servesAt - startedAt, "ms until the first lease": leasedAt - servesAt };
    };
    const [all, due] = [count, pending].map((number) => number.toLocaleString("en-US"));
    yield { what: `restart, ${all} resources, ${due} due`, contenders: [{ who: "state-manager", round }] };
  },
};
