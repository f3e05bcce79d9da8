import { setMaxListeners } from "node:events";
import type { Meter } from "@opentelemetry/api";
import { type Logger, pino } from "pino";
import { connect } from "../client/connect.js";
import type { Connection } from "../client/connection.js";
import { ResourceClient } from "../client/resource-client.js";
import { pause, retryDelayMs } from "../client/retry.js";
import { leaseLoop } from "./lease-loop.js";
import { metricsOf } from "./metrics.js";
import { installPanicGuard } from "./panic-guard.js";
import type { Reconciler } from "./reconciler.js";
import { describeReconciler, register } from "./registration.js";
import type { PassEnvironment } from "./run-pass.js";

/** What a control loop needs. */
export interface ControlLoopOptions {
  /** The state-manager, for example `http://127.0.0.1:8080`. It need not be up yet. */
  readonly serverUrl: string;
  readonly reconcilers: readonly Reconciler[];
  /**
   * Names this worker among those of the same reconcilers, 1 to 255 characters. Default: host, process id and a random
   * part, so every run is another worker.
   *
   * Give one that stays the same over restarts (a host's name, a StatefulSet's pod) and what a killed run had leased is due
   * at once when the next one registers, instead of when its session expires (`leaseDurationMs`). Make sure then that only
   * one runs at a time: two under one id end each other's sessions again and again.
   */
  readonly instanceId?: string;
  /** Default: pino's own, JSON lines on stdout. */
  readonly logger?: Logger;
  /**
   * Makes the `controlloop_…` and `workqueue_…` metrics; default: one of OpenTelemetry's global meter provider, which does
   * nothing until the program sets one up.
   */
  readonly metrics?: Meter;
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
/** A session that ends sooner may be followed by another that does. */
const SHORT_LIFE_MS = 5_000;

/**
 * Runs reconcilers against a state-manager, through the same API a Go or Python worker uses. Returns at once; the server
 * may come, go and come back at any time. Throws when two reconcilers of one name were to share an `instanceId`.
 */
export function runControlLoop(options: ControlLoopOptions): ControlLoop {
  const names = options.reconcilers.map(({ name }) => name);
  if (options.instanceId !== undefined && new Set(names).size < names.length) {
    throw new Error(`reconcilers with one instanceId must have different names, not ${names.join(", ")}`);
  }
  const logger = options.logger ?? pino();
  const connection = connect(options.serverUrl);
  const environment: PassEnvironment = {
    client: new ResourceClient(connection, CLIENT_TIMEOUT_MS),
    logger,
    metrics: metricsOf(options.metrics),
  };
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // every reconciler listens
  const removeGuard = installPanicGuard();
  const { instanceId, graceMs = 5_000 } = options;
  const settings = { instanceId, graceMs, stopping: stopping.signal };
  const runs = options.reconcilers.map((reconciler) =>
    runReconciler(connection, reconciler, environment, settings).catch((error: unknown) => {
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
  settings: { readonly instanceId: string | undefined; readonly graceMs: number; readonly stopping: AbortSignal },
): Promise<void> {
  const api = connection.reconcilers;
  const logger = environment.logger.child({ controller: reconciler.name });
  const registration = describeReconciler(reconciler, settings.instanceId);
  for (let shortLives = 0; !settings.stopping.aborted; ) {
    const session = await register(api, registration, logger, settings.stopping);
    if (session === undefined) return;
    environment.metrics.reconcilerStarted(reconciler.name, session.concurrency);
    const registeredAt = performance.now();
    const kept = session.keep();
    await leaseLoop(api, session, reconciler, environment, settings);
    const isAlive = !session.signal.aborted;
    session.end("the control loop has stopped");
    if (isAlive) await deregister(api, session.id, logger);
    await kept;
    // Two workers of one instance id, or a server that forgets, must not make this a busy loop.
    shortLives = performance.now() - registeredAt < SHORT_LIFE_MS ? shortLives + 1 : 0;
    if (shortLives > 1) await pause(retryDelayMs(shortLives), settings.stopping);
  }
}

async function deregister(api: Connection["reconcilers"], sessionId: string, logger: Logger): Promise<void> {
  try {
    await api.deregister({ sessionId }, { timeoutMs: DEREGISTER_TIMEOUT_MS });
  } catch (error) {
    logger.info({ err: error }, "not deregistered: the session ends by itself"); // the end of Attach tells the server too
  }
}
