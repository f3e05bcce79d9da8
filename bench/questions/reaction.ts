import { pino } from "pino";
import { createResourceClient } from "../../src/client/connect.js";
import { runControlLoop } from "../../src/controlloop/control-loop.js";
import { defineReconciler } from "../../src/controlloop/reconciler.js";
import { done } from "../../src/controlloop/result.js";
import type { Contender, Question } from "../compare.js";
import { Latencies } from "../latencies.js";
import { atRate } from "../load/node-load.js";
import { Graphile } from "../peers/graphile-worker.js";
import type { Stage } from "../stage.js";

/** So few that the worker is idle whenever a change comes. */
const RATE = 20;

export const reaction: Question = {
  name: "reaction",
  asks: "How long from sending a change until an idle worker's handler starts? Ours is a create by the client library, through the server, to a reconciler of the control loop; graphile-worker's an INSERT by the process that has the worker. pg-boss looks every half a second at best.",
  async *compare(stage) {
    yield {
      what: `change to handler, ${RATE}/s`,
      contenders: [await controlLoop(stage), await graphileWorker(stage)],
    };
  },
};

/** Sends numbered changes and knows when each was due. */
class Reactions {
  #waiting = new Map<number, { readonly dueAt: number; readonly resolve: () => void }>();
  #latencies = new Latencies();
  #last = 0;

  /** The handler for change `n` has started. */
  started(n: number): void {
    const sent = this.#waiting.get(n);
    if (sent === undefined) return;
    this.#waiting.delete(n);
    this.#latencies.record(performance.now() - sent.dueAt);
    sent.resolve();
  }

  async round(seconds: number, change: (n: number) => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
    this.#latencies = new Latencies();
    await atRate(RATE, seconds, async (_, dueAt) => {
      const n = ++this.#last;
      const reaction = new Promise<void>((resolve) => this.#waiting.set(n, { dueAt, resolve }));
      await Promise.all([change(n), reaction]);
    });
    return this.#latencies.figures();
  }
}

async function controlLoop(stage: Stage): Promise<Contender> {
  const { url } = await stage.stateManager();
  const client = createResourceClient(url);
  const reactions = new Reactions();
  const reconciler = defineReconciler<{ n: number }, { n: number }>({
    ...{ name: "bench", resourceGroup: "bench", kind: "change" },
    reconcile: async ({ spec }) => {
      reactions.started(spec.n);
      return done({ n: spec.n });
    },
  });
  const loop = runControlLoop({ serverUrl: url, reconcilers: [reconciler], logger: pino({ level: "silent" }) });
  stage.onClear(() => loop.stop());
  const place = { resourceGroup: "bench", kind: "change", namespace: "default" };
  const create = (n: number) => client.create({ key: { ...place, name: `change-${n}` }, spec: { n } });
  return { who: "control loop", round: (seconds) => reactions.round(seconds, create) };
}

async function graphileWorker(stage: Stage): Promise<Contender> {
  const graphile = await Graphile.open(stage);
  const reactions = new Reactions();
  stage.onClear(await graphile.work((n) => reactions.started(n)));
  return { who: "graphile-worker", round: (seconds) => reactions.round(seconds, (n) => graphile.add(n, n)) };
}
