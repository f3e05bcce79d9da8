import { resolve } from "node:path";
import type { Meter } from "@opentelemetry/api";
import type { Logger } from "pino";
import { createResourceClient } from "../src/client/index.js";
import { runControlLoop } from "../src/controlloop/index.js";
import { ownDataDirectory } from "./data-directory.js";
import { passRequester } from "./example.js";
import { fileExample } from "./file/file-example.js";
import { processExample } from "./process/process-example.js";
import { websiteReconciler } from "./website/website-example.js";

/** What the examples need. */
export interface ExamplesOptions {
  readonly serverUrl: string;
  /** Files go to `files/` below it, notes about processes to `processes/`. One program at a time may use it. */
  readonly dataDir: string;
  readonly logger: Logger;
  /** Default: OpenTelemetry's global one. */
  readonly metrics?: Meter;
  /** Scripts the process example may run besides its own, by absolute paths. */
  readonly allowedScripts: readonly string[];
  /** The bundled static server, elsewhere only in tests. */
  readonly staticServer?: string;
}

/**
 * Runs the example reconcilers against a state-manager. `stop` drains them and ends the processes they started; twice is
 * safe. Throws while a running process has the data directory.
 */
export async function runExamples(options: ExamplesOptions): Promise<{ stop(): Promise<void> }> {
  const { serverUrl, logger, allowedScripts, staticServer } = options;
  // The processes that use it work in a directory of their own.
  const dataDir = resolve(options.dataDir);
  const owned = await ownDataDirectory(dataDir);
  const client = createResourceClient(serverUrl);
  const shared = { client, requestPass: passRequester(client, logger), dataDir };
  const examples = [
    await fileExample(shared),
    processExample({ ...shared, allowedScripts, ...(staticServer !== undefined && { staticServer }) }),
  ];
  await Promise.all(examples.map((example) => example.start()));
  const loop = runControlLoop({
    serverUrl,
    instanceId: owned.instanceId,
    reconcilers: [...examples.map(({ reconciler }) => reconciler), websiteReconciler],
    logger,
    ...(options.metrics !== undefined && { metrics: options.metrics }),
    graceMs: 2_000,
  });
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    await loop.stop();
    await Promise.all(examples.map((example) => example.stop()));
    client.close();
    owned.release();
  };
  return { stop: () => (stopped ??= stop()) };
}
