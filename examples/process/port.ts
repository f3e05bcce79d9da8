import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const LOOPBACK = "127.0.0.1";
const POLL_MS = 25;

/** Whether nobody listens on the port yet. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const probe = createServer();
    probe.once("error", () => answer(false));
    probe.listen(port, LOOPBACK, () => probe.close(() => answer(true)));
  });
}

/** Tries until somebody accepts a connection on the port; false after `timeoutMs`, or when `goesOn` says so. */
export async function answersWithin(port: number, timeoutMs: number, goesOn: () => boolean): Promise<boolean> {
  for (const end = Date.now() + timeoutMs; Date.now() < end && goesOn(); await sleep(POLL_MS)) {
    if (await accepts(port)) return true;
  }
  return false;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect({ port, host: LOOPBACK, timeout: 1_000 });
    const settle = (accepted: boolean) => {
      socket.destroy();
      answer(accepted);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
    socket.once("timeout", () => settle(false));
  });
}
