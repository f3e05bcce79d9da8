/** The API over a port, with nothing behind it: for what the edge does by itself. */
import { pino } from "pino";
import { type Api, startApi } from "../../../src/state-manager/api/server-api.js";
import { createMetrics } from "../../../src/state-manager/observability/metrics.js";
import { ResumeTokens } from "../../../src/state-manager/watch/resume-token.js";

type ApiOptions = Parameters<typeof startApi>[0];

export interface StubApi extends Api {
  readonly url: string;
  /** What was logged. */
  readonly lines: readonly Record<string, unknown>[];
}

/** What a test wants behind the edge; whatever else is called fails as a bug would. */
export interface StubParts {
  readonly config?: Partial<ApiOptions["config"]>;
  readonly resources?: Partial<ApiOptions["resources"]>;
  readonly watch?: Partial<ApiOptions["watch"]>;
  readonly work?: Partial<ApiOptions["work"]>;
  readonly status?: ApiOptions["status"];
}

export async function startStubApi(parts: StubParts = {}): Promise<StubApi> {
  const lines: Record<string, unknown>[] = [];
  const api = await startApi({
    config: { host: "127.0.0.1", port: 0, corsAllowedOrigins: [], ...parts.config },
    // Each test gives what it calls.
    resources: (parts.resources ?? {}) as ApiOptions["resources"],
    watch: (parts.watch ?? {}) as ApiOptions["watch"],
    work: (parts.work ?? {}) as ApiOptions["work"],
    status: parts.status ?? (() => Promise.reject(new Error("no status"))),
    tokens: new ResumeTokens({ storeId: "5a0e7d3c-0000-4000-8000-000000000000", logCount: 1 }),
    readiness: async () => ({ ok: true, problems: [] }),
    metrics: createMetrics(),
    logger: pino({ level: "debug" }, { write: (line: string) => lines.push(JSON.parse(line)) }),
  });
  return { ...api, url: `http://127.0.0.1:${api.port}`, lines };
}
