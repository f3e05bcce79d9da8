import { Agent } from "node:http";
import { until } from "../../test/support/until.js";
import type { Contender, Figures, Question } from "../compare.js";
import { Latencies } from "../latencies.js";
import { GrpcWatchers } from "../load/grpc-watchers.js";
import { saturate } from "../load/http-load.js";
import { atRate, send } from "../load/node-load.js";
import { SseWatchers } from "../load/sse-watchers.js";
import { seed, updates, widget } from "../load/widgets.js";
import { startEtcd } from "../peers/etcd.js";
import { EtcdWatch } from "../peers/etcd-watch.js";
import { memoryMb } from "../process-usage.js";
import type { Served, Stage } from "../stage.js";

const [WATCHERS, PROBES, RATE] = [100, 5, 1_000];
const [SSE_WATCHERS, GRPC_WATCHERS] = [500, 200];

export const watch: Question = {
  name: "watch",
  asks: `How late does a change reach a watcher, and how many events can a process deliver? Latencies at ${RATE} updates of 1 KB a second: from when the update was due, so with its whole write, and from its answer (0 when the event came first). etcd's watchers watch one key, which is put at the same rate. Deliveries while 16 connections update without a pause.`,
  async *compare(stage) {
    const DATABASE_URL = await stage.database();
    const near = await stage.stateManager({ DATABASE_URL });
    const far = await stage.stateManager({ DATABASE_URL });
    const etcd = await startEtcd(stage);
    const etcdPeer = { who: "etcd watch (gRPC)", round: (seconds: number) => etcdLatency(etcd ?? "", seconds) };
    await seed(near.url);
    yield {
      what: `watch, ${WATCHERS} SSE watchers`,
      contenders: [
        { who: "same replica", round: (seconds) => latency(near.url, near.url, seconds) },
        { who: "other replica", round: (seconds) => latency(near.url, far.url, seconds) },
        ...(etcd === undefined ? [] : [etcdPeer]),
      ],
    };
    await stage.clear();
    yield { what: `deliver, ${SSE_WATCHERS} SSE watchers`, contenders: await watchedServers(stage, sse) };
    await stage.clear();
    yield { what: `deliver, ${GRPC_WATCHERS} gRPC watchers`, contenders: await watchedServers(stage, grpc) };
  },
};

/** Who is watched: its watchers give the probes' texts, and `send` writes the `n`th value, answered when it is durable. */
interface Watched {
  readonly open: (onText: (text: string) => void) => Promise<{ close(): void }>;
  readonly send: (n: number) => Promise<void>;
  /** Finds `n` in a text. */
  readonly mark: RegExp;
}

/** Updates through one replica, seen by watchers at another, or the same. */
async function latency(writeTo: string, watchAt: string, seconds: number): Promise<Figures> {
  const requests = updates(writeTo);
  const run = /"write":"(run-\d+)-/.exec(requests.body ?? "")?.[1];
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const open: Watched["open"] = async (onText) => {
    const watchers = new SseWatchers();
    await watchers.open(watchAt, WATCHERS, PROBES, onText);
    return watchers;
  };
  const mark = new RegExp(`"write":"${run}-(\\d+)"`);
  const figures = await latencyOf({ open, send: (n) => send(requests, n, agent), mark }, seconds);
  agent.destroy();
  return figures;
}

let etcdRuns = 0;

/** The same of an etcd, whose key holds as much. */
async function etcdLatency(url: string, seconds: number): Promise<Figures> {
  const run = ++etcdRuns;
  const etcd = new EtcdWatch(url);
  const open: Watched["open"] = async (onText) => {
    await etcd.open(WATCHERS, PROBES, onText);
    return etcd;
  };
  const put = (n: number) => etcd.put(JSON.stringify({ write: `etcd-${run}-${n}`, ...widget }));
  return latencyOf({ open, send: put, mark: new RegExp(`"write":"etcd-${run}-(\\d+)"`) }, seconds);
}

async function latencyOf({ open, send: sendNumber, mark }: Watched, seconds: number): Promise<Figures> {
  const writes = new Map<number, { readonly dueAt: number; answeredAt?: number }>();
  const [fromSending, afterAnswer] = [new Latencies(), new Latencies()];
  let seen = 0;
  const watchers = await open((text) => {
    const write = writes.get(Number(mark.exec(text)?.[1]));
    if (write === undefined) return;
    const now = performance.now();
    fromSending.record(now - write.dueAt);
    afterAnswer.record(write.answeredAt === undefined ? 0 : now - write.answeredAt);
    seen++;
  });
  await atRate(RATE, seconds, async (n, dueAt) => {
    const write: { readonly dueAt: number; answeredAt?: number } = { dueAt };
    writes.set(n, write);
    await sendNumber(n);
    write.answeredAt = performance.now();
  });
  await until(() => seen === RATE * seconds * PROBES, { timeoutMs: 30_000, what: "every update is seen" });
  watchers.close();
  return { ...fromSending.figures(" from sending"), ...afterAnswer.figures(" after the answer") };
}

type Open = (url: string) => Promise<{ readonly events: number; close(): void }>;

async function watchedServers(stage: Stage, open: Open): Promise<readonly Contender[]> {
  const contenders: Contender[] = [];
  for (const server of await stage.stateManagers()) {
    await seed(server.url);
    const watchers = await open(server.url);
    stage.onClear(async () => watchers.close());
    contenders.push({ who: server.who, round: (seconds) => deliveries(server, watchers, seconds) });
  }
  return contenders;
}

const sse: Open = async (url) => {
  const watchers = new SseWatchers();
  await watchers.open(url, SSE_WATCHERS);
  return watchers;
};

const grpc: Open = async (url) => {
  const watchers = new GrpcWatchers();
  await watchers.open(url, GRPC_WATCHERS);
  return watchers;
};

async function deliveries(server: Served, watchers: { readonly events: number }, seconds: number): Promise<Figures> {
  const [startedAt, before] = [performance.now(), watchers.events];
  await saturate(updates(server.url), 16, seconds);
  const perSecond = ((watchers.events - before) * 1000) / (performance.now() - startedAt);
  return { "events/s": perSecond, "MB of memory": memoryMb(server.program.pid) };
}
