/** Load from this process: at a fixed rate where latency is asked, and in place of `wrk` where that is missing. */
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Figures } from "../compare.js";
import { Latencies } from "../latencies.js";
import type { HttpRequests } from "./http-load.js";

/** Each connection sends its next request when the last is answered. */
export async function closedLoop(requests: HttpRequests, connections: number, seconds: number): Promise<Figures> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const latencies = new Latencies();
  const startedAt = performance.now();
  let n = 0;
  const lane = async () => {
    for (let sentAt = startedAt; sentAt - startedAt < seconds * 1000; sentAt = performance.now()) {
      await send(requests, n++, agent);
      latencies.record(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: connections }, lane)).finally(() => agent.destroy());
  return { "requests/s": (n * 1000) / (performance.now() - startedAt), ...latencies.figures() };
}

/**
 * `rate` requests a second, whatever the answers: waiting behind a slow one counts, because each is timed from when it was due.
 * Timers are a millisecond coarse, and that is in the figures.
 */
export async function openLoop(requests: HttpRequests, rate: number, seconds: number): Promise<Figures> {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const latencies = new Latencies();
  await atRate(rate, seconds, async (n, dueAt) => {
    await send(requests, n, agent);
    latencies.record(performance.now() - dueAt);
  }).finally(() => agent.destroy());
  return latencies.figures();
}

/** Calls `act` so many times a second, without waiting for it; resolves when all have, rejects with the first that did. */
export async function atRate(
  rate: number,
  seconds: number,
  act: (n: number, dueAt: number) => Promise<void>,
): Promise<void> {
  const startedAt = performance.now();
  const acts: Promise<void>[] = [];
  while (acts.length < rate * seconds) {
    const due = Math.min(((performance.now() - startedAt) / 1000) * rate, rate * seconds);
    while (acts.length < due) {
      const acted = act(acts.length, startedAt + (acts.length / rate) * 1000);
      acted.catch(() => {}); // Told below.
      acts.push(acted);
    }
    await sleep(1);
  }
  await Promise.all(acts);
}

/** Resolves when the answer has been read to its end. */
export function send({ url, method, path, body, keys = 1 }: HttpRequests, n: number, agent: Agent): Promise<void> {
  const fill = (template: string) => template.replaceAll("{n}", String(n)).replaceAll("{key}", String(n % keys));
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const call = request(`${url}${fill(path)}`, { method, agent, headers }, (response) => {
      const { statusCode = 0 } = response;
      response.resume();
      response.once("error", reject);
      response.once("end", () =>
        statusCode < 300 ? resolve() : reject(new Error(`${method} ${fill(path)} was answered with ${statusCode}`)),
      );
    });
    call.once("error", reject);
    call.end(body && fill(body));
  });
}
