import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { connect } from "../../src/client/connect.js";
import type { Connection } from "../../src/client/connection.js";
import type { ServerProcess } from "../support/processes.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

const PATIENT = { timeoutMs: 60_000 };
/** Few and large: what is held, and what would be held by mistake, is counted in bytes. */
const CHANGES = 500;
const BODY_BYTES = 40_960;
/** More bytes than the ring keeps. */
const FILLING_CHANGES = 2_000;
/** A server that kept for each of them what it does not read would grow by 200 MB: they share no bytes. */
const STUCK_WATCHERS = 10;
/** Well above what is measured (below 1 MB), well below one watcher's backlog. */
const MAX_GROWTH_BYTES = 10 << 20;
const COLLECTS_ON_SIGNAL = ["--expose-gc", "--import", "./test/support/collect-on-signal.mjs"];

it("a watcher that does not read costs the server a batch, not its backlog, and goes on where it stopped (I9)", {
  timeout: 120_000,
}, async () => {
  const world = await World.open({ replicas: 1, nodeOptions: COLLECTS_ON_SIGNAL });
  const server = world.replica(0);
  const connection = connect(server.url);
  onTestFinished(() => connection.close());
  const steady = world.observe({ protocol: "sse" });
  await until(() => steady.isPlaced);
  // The ring that all watchers share fills up first: it grows with the changes, watched or not.
  await change(connection, FILLING_CHANGES);
  await until(() => steady.seen.length === FILLING_CHANGES, PATIENT);

  const stuck = await Promise.all(Array.from({ length: STUCK_WATCHERS }, (_, i) => openStuck(server, i)));
  const before = await memoryOf(server);
  await change(connection, CHANGES);
  await until(() => steady.seen.at(-1)?.revision === FILLING_CHANGES + CHANGES, {
    ...PATIENT,
    what: "another watcher is not held up",
  });
  expect(steady.seen).toHaveLength(FILLING_CHANGES + CHANGES);
  expect(await server.metric("watch_watchers")).toBe(STUCK_WATCHERS + 1);
  expect((await memoryOf(server)) - before).toBeLessThan(MAX_GROWTH_BYTES);

  const [one] = stuck;
  if (one === undefined) throw new Error("nobody is stuck");
  expect(one.bytesRead).toBeLessThan((CHANGES * BODY_BYTES) / 2);
  const revisions = await readRevisions(one, CHANGES);
  expect(revisions).toEqual(Array.from({ length: CHANGES }, (_, i) => FILLING_CHANGES + i + 1));
});

/** Of all calls of `change`: lanes that take turns unevenly would else write a number that a resource has already. */
let writes = 0;

/** `count` changes of 250 resources, each of `BODY_BYTES`. */
async function change({ resources }: Connection, count: number): Promise<void> {
  const lanes = 250;
  let left = count;
  const write = async (lane: number) => {
    const key = { resourceGroup: "memory", kind: "one", namespace: "default", name: `r${lane}` };
    while (left-- > 0) {
      // Fresh text every time, so that nothing is shared; and never the text before, which would be no change.
      const specJson = JSON.stringify({ write: ++writes, text: String(left % 10).repeat(BODY_BYTES) });
      await resources.applyResource({ resource: { key, shardId: "s0", labels: { all: "yes" }, specJson } });
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, lane) => write(lane)));
}

/** A Server-Sent Events watch whose client has stopped to read. Its filter selects everything, in words of its own. */
async function openStuck({ url }: ServerProcess, number: number): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connectTcp(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  const selector = encodeURIComponent(`all in (yes, ${number})`);
  socket.write(`GET /api/v1/watch?label_selector=${selector} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
  // The first bookmark: the watch is open from here on.
  await until(async () => String((await once(socket, "data"))[0]).includes("BOOKMARK"));
  socket.pause();
  return socket;
}

/** Reads on and returns the revisions of `count` events. */
async function readRevisions(socket: Socket, count: number): Promise<readonly number[]> {
  const revisions: number[] = [];
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
    const end = text.lastIndexOf("\n\n");
    if (end === -1) return;
    for (const [, revision] of text.slice(0, end).matchAll(/"shard_id":"s0","revision":(\d+),"resource":/g))
      revisions.push(Number(revision));
    text = text.slice(end);
  });
  socket.resume();
  await until(() => revisions.length >= count, PATIENT);
  return revisions;
}

/** What it holds once its garbage is collected, in bytes. */
async function memoryOf({ program }: ServerProcess): Promise<number> {
  const from = program.lines.length;
  program.signal("SIGUSR2");
  return await until(() => Number(program.lines.slice(from).find(({ heldBytes }) => heldBytes)?.heldBytes), PATIENT);
}
