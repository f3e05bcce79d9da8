import type { ResourceKey } from "../../resource/key.js";
import type { Connection } from "./database.js";
import { READ_UNSETTLED, type UnsettledRow } from "./statements/compat.js";

/** A resource that an operator still has to do something about. */
export interface UnsettledResource {
  readonly key: ResourceKey;
  readonly shardId: string;
}

/** One step of a walk over all resources, in creation order. */
export interface UnsettledPage {
  readonly resources: readonly UnsettledResource[];
  /** Continue after this id; undefined behind the last resource. */
  readonly lastId: bigint | undefined;
}

/** Resources looked at in one step: some milliseconds for PostgreSQL, and for Redis when all of them are announced. */
const PAGE_ROWS = 2_000;

/** The resources after `afterId` that are pending or being deleted, of one log and, if given, of one shard. */
export async function readUnsettled(
  connection: Connection,
  query: { readonly log: number; readonly shardId: string | undefined; readonly afterId: bigint },
): Promise<UnsettledPage> {
  const values = [query.afterId, PAGE_ROWS, query.log, query.shardId ?? null];
  const rows = await connection.query<UnsettledRow>(READ_UNSETTLED, values);
  const resources = rows.flatMap(({ shard_id, resource_group, kind, namespace, name }) =>
    shard_id === null ? [] : [{ key: { resourceGroup: resource_group, kind, namespace, name }, shardId: shard_id }],
  );
  return { resources, lastId: rows[0]?.last_id ?? undefined };
}
