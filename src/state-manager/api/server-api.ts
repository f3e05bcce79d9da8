import type { Logger } from "pino";
import type { Metrics } from "../observability/metrics.js";
import type { ResourceService } from "../service/resource-service.js";
import type { ServerStatus } from "../service/server-status.js";
import type { ResumeTokens } from "../watch/resume-token.js";
import type { WatchSource } from "../watch/watch.js";
import type { WorkService } from "../work/work-service.js";
import { docsPages } from "./docs-page.js";
import { HealthCheck, type ReadinessCheck } from "./health.js";
import { httpEdge, type Page } from "./http-edge.js";
import { answer, answerJson } from "./http-exchange.js";
import type { OnePortOptions } from "./one-port.js";
import { OpenPort } from "./open-port.js";
import { OriginGuard } from "./origin-guard.js";
import { Pipeline, type PipelineLimits } from "./pipeline.js";
import { RestApi } from "./rest-api.js";
import { rpcRoutes } from "./rpc-routes.js";
import { SseFrames } from "./sse-frames.js";
import { SseWatch } from "./watch-sse.js";

/** How the API is served. */
interface ApiConfig {
  /** The address to bind. On a loopback address only loopback `Host` names are answered. */
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Origins that get CORS and may write; `*` for every one. */
  readonly corsAllowedOrigins: readonly string[];
  /** A larger request is refused: 413, RESOURCE_EXHAUSTED over RPC. Defaults to 4 MiB, gRPC's usual limit. */
  readonly maxBodyBytes?: number | undefined;
  /** Unset limits take their defaults: 4,096 calls, 20,000 streams, 30 s. */
  readonly limits?: Partial<PipelineLimits> | undefined;
  readonly connections?: OnePortOptions | undefined;
}

/** What the API serves. */
interface ApiOptions {
  readonly config: ApiConfig;
  /** Serve on this port instead of opening the one of `config`. */
  readonly openPort?: OpenPort | undefined;
  readonly resources: ResourceService;
  readonly watch: WatchSource;
  readonly work: WorkService;
  readonly status: () => Promise<ServerStatus>;
  readonly tokens: ResumeTokens;
  readonly readiness: ReadinessCheck;
  readonly metrics: Metrics;
  /** Shown at /metrics after the server's own, in the same form: of what else the process runs. */
  readonly furtherMetrics?: (() => Promise<string>) | undefined;
  readonly logger: Logger;
}

/** The API while it is served. */
export interface Api {
  readonly port: number;
  /**
   * Stops accepting, lets running calls finish and cuts what is left after `graceMs`. End the watches first
   * (`WatchSource.stop`). Safe to call twice.
   */
  close(graceMs: number): Promise<void>;
}

const MAX_BODY_BYTES = 4 << 20;
/** 10,000 resources of 3 KB. */
const MAX_APPLY_BYTES = 32 << 20;
const LIMITS: PipelineLimits = { maxCallsInFlight: 4_096, maxOpenStreams: 20_000, callDeadlineMs: 30_000 };

/** Serves REST, SSE, Connect, gRPC-Web, gRPC, probes and metrics on one port (2.13). Rejects when the address is taken. */
export async function startApi(options: ApiOptions): Promise<Api> {
  const { config, resources, watch, work, metrics, logger } = options;
  const maxBodyBytes = config.maxBodyBytes ?? MAX_BODY_BYTES;
  const maxApplyBytes = Math.max(maxBodyBytes, MAX_APPLY_BYTES);
  const pipeline = new Pipeline({ ...LIMITS, ...config.limits }, metrics, logger);
  const health = new HealthCheck(options.readiness, logger);
  const sse = new SseWatch(watch, new SseFrames(options.tokens), pipeline);
  const edge = httpEdge({
    guard: new OriginGuard(config.host, config.corsAllowedOrigins),
    rest: new RestApi(resources, work, sse, pipeline, maxBodyBytes),
    pages: new Map([...operatorPages(health, metrics, options.furtherMetrics), ...docsPages()]),
    rpc: rpcRoutes({ resources, watch, work, status: options.status, health, pipeline, maxBodyBytes, maxApplyBytes }),
    onError: (err, isClientGone) => {
      if (isClientGone) logger.debug({ err }, "the client left before its answer was complete");
      else logger.error({ err }, "request could not be served");
    },
  });
  const open = options.openPort ?? (await OpenPort.open(config, () => "starting"));
  open.serve(edge);
  return { port: open.port, close: (graceMs) => open.close(graceMs) };
}

function operatorPages(
  health: HealthCheck,
  { registry }: Metrics,
  furtherMetrics: () => Promise<string> = async () => "",
): ReadonlyMap<string, Page> {
  return new Map<string, Page>([
    ["/health/live", (response) => answerJson(response, 200, '{"status":"live"}')],
    [
      "/health/ready",
      async (response) => {
        const { ok, problems, notes = [] } = await health.readiness();
        const detail = notes.length === 0 ? {} : { notes };
        if (ok) answerJson(response, 200, JSON.stringify({ status: "ready", ...detail }));
        else
          answerJson(
            response,
            503,
            JSON.stringify({ error: `not ready: ${problems.join("; ")}`, problems, ...detail }),
          );
      },
    ],
    [
      "/metrics",
      async (response) =>
        answer(response, 200, registry.contentType, (await registry.metrics()) + (await furtherMetrics())),
    ],
  ]);
}
