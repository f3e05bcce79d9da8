import { durationMs, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  DependencyState,
  type GetServerStatusResponse,
  type DependencyStatus as WireDependency,
} from "../../gen/reconcile/v1/server_service_pb.js";
import { readTime } from "./client-resource.js";
import { nameIn } from "./client-work.js";

/** The server that answers, and what it stands on. */
export interface ClientServerStatus {
  readonly version: string;
  readonly serverTime: Date;
  readonly startedAt: Date;
  readonly storeId: string;
  /** The newest schema migration the program knows. */
  readonly programSchema: number;
  /** The newest one the store has; 0 while PostgreSQL does not answer. */
  readonly storeSchema: number;
  readonly postgres: ClientDependency;
  /** Undefined while PostgreSQL does not answer. */
  readonly postgresTime: Date | undefined;
  readonly redis: ClientDependency;
  /** The streams of existing operators (COMPAT_STREAMS); a server of before them does not say how they are. */
  readonly compatStreams: ClientDependency;
  /** The newest jump of PostgreSQL's clock since the server started; negative: it was set back. */
  readonly clockStep: { readonly seenAt: Date; readonly byMs: number } | undefined;
  /** Empty while PostgreSQL does not answer. */
  readonly logs: readonly { readonly logId: number; readonly headRevision: bigint; readonly floorRevision: bigint }[];
}

/** PostgreSQL or Redis, as the server sees it. */
export interface ClientDependency {
  readonly state: keyof typeof DependencyState;
  /** What is wrong and what to do; empty when nothing is. */
  readonly message: string;
  /** Empty when it does not answer. */
  readonly version: string;
  /** Undefined when there was no answer. */
  readonly roundTripMs: number | undefined;
}

/** Reads the answer of GetServerStatus. */
export function readServerStatus(wire: GetServerStatusResponse): ClientServerStatus {
  return {
    version: wire.version,
    serverTime: readTime(wire.serverTime),
    startedAt: readTime(wire.startedAt),
    storeId: wire.storeId,
    programSchema: wire.programSchema,
    storeSchema: wire.storeSchema,
    postgres: readDependency(wire.postgres),
    postgresTime: wire.postgresTime && timestampDate(wire.postgresTime),
    redis: readDependency(wire.redis),
    compatStreams: readDependency(wire.compatStreams),
    clockStep: wire.clockStep && {
      seenAt: readTime(wire.clockStep.seenAt),
      byMs: wire.clockStep.by === undefined ? 0 : durationMs(wire.clockStep.by),
    },
    logs: wire.logs.map(({ logId, headRevision, floorRevision }) => ({ logId, headRevision, floorRevision })),
  };
}

function readDependency(wire: WireDependency | undefined): ClientDependency {
  return {
    state: nameIn(DependencyState, wire?.state ?? DependencyState.UNSPECIFIED),
    message: wire?.message ?? "",
    version: wire?.version ?? "",
    roundTripMs: wire?.roundTrip && Number(wire.roundTrip.seconds) * 1_000 + wire.roundTrip.nanos / 1e6,
  };
}
