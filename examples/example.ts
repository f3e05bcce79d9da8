import type { Logger } from "pino";
import { isNotFound, type ResourceClient, type ResourceKey } from "../src/client/index.js";
import type { Reconciler } from "../src/controlloop/index.js";

/** The group of every example resource. */
export const EXAMPLES_GROUP = "examples";

/** A reconciler with a life outside its passes: it watches something and asks for a pass when that changes. */
export interface Example {
  readonly reconciler: Reconciler;
  /** Begins to watch. Called once, before the first pass. */
  start(): Promise<void>;
  /** Ends what must not outlive the program. Called once, after the last pass. */
  stop(): Promise<void>;
}

/** How an example asks for a pass from outside one: never throws, because the next resync asks again. */
export type RequestPass = (key: ResourceKey, message: string) => Promise<void>;

/** Asks over the public API. A resource that is gone needs no pass. */
export function passRequester(client: ResourceClient, logger: Logger): RequestPass {
  return async (key, message) => {
    try {
      await client.enqueue(key, message);
    } catch (error) {
      if (!isNotFound(error)) logger.warn({ err: error, key }, "no pass requested");
    }
  };
}

/** Asks for a pass over all resources of a kind: what happened while this program was down, nobody has reported. */
export async function requestAll(client: ResourceClient, kind: string, requestPass: RequestPass): Promise<void> {
  for await (const { key } of client.list({ resourceGroup: EXAMPLES_GROUP, kind })) {
    await requestPass(key, "the reconciler has started");
  }
}
