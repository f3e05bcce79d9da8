import { once } from "node:events";
import { connect } from "node:net";
import { createResourceClient, type ResourceClient } from "../client/index.js";
import { EXIT, Failure } from "./exit-codes.js";
import { choosePlace, type Place, type PlaceOptions } from "./place.js";
import type { Cli } from "./terminal.js";

const CONNECT_TIMEOUT_MS = 5_000;

/** Runs `work` with a client for the server that the options name, and closes it. */
export async function withClient<T>(
  cli: Cli,
  options: PlaceOptions,
  work: (client: ResourceClient, place: Place) => Promise<T>,
): Promise<T> {
  const place = choosePlace(cli.env, options);
  await checkReachable(place.server);
  const client = createResourceClient(place.server);
  try {
    return await work(client, place);
  } finally {
    client.close();
  }
}

/** The client waits for a server that restarts; for one that was never there, nobody should. */
async function checkReachable(server: string): Promise<void> {
  const { hostname, port, protocol } = new URL(server);
  const host = hostname.replace(/^\[|\]$/g, ""); // of an IPv6 address
  const socket = connect({ host, port: Number(port) || (protocol === "https:" ? 443 : 80) });
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
  } catch (error) {
    throw new Failure(
      `no server answers at ${server} (${reasonOf(error)}); start one with "reconcile dev", or name another with --server, ` +
        'RECONCILE_SERVER or "reconcile config set-context"',
      EXIT.unreachable,
    );
  } finally {
    socket.destroy();
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === "AbortError") return `no answer within ${CONNECT_TIMEOUT_MS / 1000} s`;
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
