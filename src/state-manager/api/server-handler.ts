import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { DependencyState, type ServerService } from "../../../gen/reconcile/v1/server_service_pb.js";
import type { DependencyStatus, ServerStatus } from "../service/server-status.js";

/** ServerService on Connect, gRPC and gRPC-Web. */
export function serverHandler(status: () => Promise<ServerStatus>): ServiceImpl<typeof ServerService> {
  return {
    async getServerStatus() {
      const answer = await status();
      const { version, serverTime, startedAt, storeId, programSchema, store, postgres, redis, clockStep } = answer;
      return {
        version,
        serverTime: timestampFromDate(serverTime),
        startedAt: timestampFromDate(startedAt),
        storeId,
        programSchema,
        storeSchema: store?.schema ?? 0,
        postgres: encodeDependency(postgres),
        postgresTime: store && timestampFromDate(store.now),
        redis: encodeDependency(redis),
        logs: (store?.logs ?? []).map(({ head, floor }, logId) => ({
          logId,
          headRevision: head,
          floorRevision: floor,
        })),
        clockStep: clockStep && { seenAt: timestampFromDate(clockStep.seenAt), by: durationFromMs(clockStep.byMs) },
        compatStreams: encodeDependency(answer.compatStreams),
      };
    },
  };
}

function encodeDependency({ state, message, version, roundTripMs }: DependencyStatus) {
  const roundTrip = roundTripMs === undefined ? undefined : encodeDuration(roundTripMs);
  return { state: DependencyState[state], message, version, roundTrip };
}

/** In whole microseconds: durationFromMs takes whole milliseconds only. */
function encodeDuration(ms: number) {
  const micros = Math.round(ms * 1_000);
  return { seconds: BigInt(Math.floor(micros / 1e6)), nanos: (micros % 1e6) * 1_000 };
}
