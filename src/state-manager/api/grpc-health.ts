import { setTimeout as sleep } from "node:timers/promises";
import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../../gen/grpc/health/v1/health_pb.js";
import type { HealthCheck } from "./health.js";

/** How often a health watch looks for a change. */
const WATCH_INTERVAL_MS = 5_000;

/**
 * Serves gRPC health for the whole server (the empty name) and for each service; all share the fate of their dependencies.
 */
export function addHealth(router: ConnectRouter, services: readonly DescService[], health: HealthCheck): void {
  const names = new Set(["", ...services.map(({ typeName }) => typeName)]);
  const current = async () => ((await health.readiness()).ok ? Status.SERVING : Status.NOT_SERVING);
  router.service(Health, {
    async check({ service }) {
      if (names.has(service)) return { status: await current() };
      throw new ConnectError(`service ${JSON.stringify(service)} is not served here`, Code.NotFound);
    },
    async list() {
      const status = await current();
      return { statuses: Object.fromEntries([...names].map((name) => [name, { status }])) };
    },
    async *watch({ service }, { signal }) {
      let last: Status | undefined;
      for (;;) {
        // The protocol wants a watch of an unknown service to stay open: it may appear. Here none ever does.
        const status = names.has(service) ? await current() : Status.SERVICE_UNKNOWN;
        if (status !== last) yield { status };
        last = status;
        await sleep(WATCH_INTERVAL_MS, undefined, { signal });
      }
    },
  });
}
