import { setMaxListeners } from "node:events";
import { type Logger, pino } from "pino";
import { Registry } from "prom-client";
import { type Connection, connect } from "../client/connection.js";
import { ResourceClient } from "../client/resource-client.js";
import { leaseLoop } from "./lease-loop.js";
import { metricsIn } from "./metrics.js";
import { installPanicGuard } from "./panic-guard.js";
import type { Reconciler } from "./reconciler.js";
import { DEFAULT_CONCURRENCY, register } from "./registration.js";
import type { PassEnvironment } from "./run-pass.js";

/** What a control loop needs. */
export interface ControlLoopOptions {
  /** The state-manager, for example `http://127.0.0.1:8080`. It need not be up yet. */
  readonly serverUrl: string;
  readonly reconcilers: readonly Reconciler[];
  /** Default: pino's own, JSON lines on stdout. */
  readonly logger?: Logger;
  /** Where the `controlloop_…` metrics go; default: nowhere. */
  readonly metrics?: Registry;
  /** How long `stop` lets running passes go on before it releases them; default 5 s. */
  readonly graceMs?: number;
}

/** A running control loop. */
export interface ControlLoop {
  /** Resolves after `stop`; rejects when the server refuses a registration for good, after everything has stopped. */
  readonly finished: Promise<void>;
  /**
   * Leases nothing more, lets running passes finish within the grace, releases the rest, deregisters. Resolves when all
   * is done, at the latest 3 s after the grace. Twice is safe.
   */
  stop(): Promise<void>;
}

const CLIENT_TIMEOUT_MS = 30_000;
const DEREGISTER_TIMEOUT_MS = 1_000;

/**
 * Runs reconcilers against a state-manager, through the same API a Go or Python worker uses. Returns at once; the server
 * may come, go and come back at any time.
 */
export function runControlLoop(options: ControlLoopOptions): ControlLoop {
  const logger = options.logger ?? pino();
  const connection = connect(options.serverUrl);
  const environment: PassEnvironment = {
    client: new ResourceClient(connection, CLIENT_TIMEOUT_MS),
    logger,
    metrics: metricsIn(options.metrics ?? new Registry()),
  };
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // every reconciler listens
  const removeGuard = installPanicGuard();
  const stop = { stopping: stopping.signal, graceMs: options.graceMs ?? 5_000 };
  const runs = options.reconcilers.map((reconciler) =>
    runReconciler(connection, reconciler, environment, stop).catch((error: unknown) => {
      logger.error({ err: error, controller: reconciler.name }, "reconciler stopped: its registration was refused");
      stopping.abort();
      throw error;
    }),
  );
  const finished = Promise.allSettled(runs).then(async () => {
    connection.close();
    removeGuard();
    await Promise.all(runs);
  });
  finished.catch(() => {}); // already logged; whoever awaits it still sees it
  return {
    finished,
    stop: () => {
      stopping.abort();
      return finished.catch(() => {});
    },
  };
}

async function runReconciler(
  connection: Connection,
  reconciler: Reconciler,
  environment: PassEnvironment,
  stop: { readonly stopping: AbortSignal; readonly graceMs: number },
): Promise<void> {
  const api = connection.reconcilers;
  const logger = environment.logger.child({ controller: reconciler.name });
  const concurrency = reconciler.concurrency ?? DEFAULT_CONCURRENCY;
  environment.metrics.maxConcurrentReconciles.set({ controller: reconciler.name }, concurrency);
  while (!stop.stopping.aborted) {
    const session = await register(api, reconciler, logger, stop.stopping);
    if (session === undefined) return;
    const kept = session.keep();
    await leaseLoop(api, session, reconciler, environment, stop);
    const isAlive = !session.signal.aborted;
    session.end("the control loop has stopped");
    if (isAlive) await deregister(api, session.id, logger);
    await kept;
  }
}

async function deregister(api: Connection["reconcilers"], sessionId: string, logger: Logger): Promise<void> {
  try {
    await api.deregister({ sessionId }, { timeoutMs: DEREGISTER_TIMEOUT_MS });
  } catch (error) {
    logger.info({ err: error }, "not deregistered: the session ends by itself"); // the end of Attach tells the server too
  }
}
