import type { Position } from "../../resource/change.js";
import type { LabelSelector } from "../../resource/label-selector.js";
import type { Database } from "./database.js";
import { RESOURCE_COLUMNS, type ResourceRow, resourceFromRow } from "./resource-row.js";
import type { ListQuery, ResourcePage } from "./store.js";

/** What is stored out of line and not asked for is not read. */
const COLUMNS_WITHOUT_SPEC = RESOURCE_COLUMNS.replace("r.spec", "NULL::json AS spec");
/** Nor does it count; its stored size may be a compressed one, so that rather too much counts than too little. */
const BYTES_WITHOUT_SPEC = "greatest(0, r.bytes - coalesce(pg_column_size(r.spec), 0))";

/** Heads of all logs as `revision:fingerprint,…` in the order of the logs, in the snapshot of the page. */
const HEADS = `
  SELECT string_agg(coalesce(e.revision, f.revision) || ':' || coalesce(e.fingerprint, f.fingerprint), ','
    ORDER BY f.log_id) AS heads
  FROM log_floors f
  LEFT JOIN LATERAL (
    SELECT revision, fingerprint FROM events WHERE log_id = f.log_id ORDER BY revision DESC LIMIT 1
  ) e ON true`;

/**
 * One page in creation order, shorter than asked for when it would be larger than `maxBytes`. Looks one row further, to know
 * whether another page follows.
 */
export async function listResources(database: Database, query: ListQuery): Promise<ResourcePage> {
  const values: unknown[] = [];
  const parameter = (value: unknown) => `$${values.push(value)}`;
  const conditions = [`r.id > ${parameter(query.afterId)}`, ...filterConditions(query, parameter)];
  // The queue has a row for every pending resource: no index on resources has to follow every status write (2.11).
  const from = query.pendingOnly
    ? "work_items w JOIN resources r ON r.id = w.resource_id AND w.is_pending AND r.generation > r.observed_generation"
    : "resources r";
  const bytes = query.withoutSpec ? BYTES_WITHOUT_SPEC : "r.bytes";
  // What is counted is narrow: whole rows would be copied for every count.
  const text = `
    SELECT h.heads, p.* FROM (${HEADS}) h LEFT JOIN LATERAL (
      SELECT ${query.withoutSpec ? COLUMNS_WITHOUT_SPEC : RESOURCE_COLUMNS}, found FROM (
        SELECT id, sum(bytes) OVER (ORDER BY id) AS bytes_so_far, row_number() OVER (ORDER BY id) AS position,
          count(*) OVER () AS found
        FROM (
          SELECT r.id, ${bytes} AS bytes FROM ${from} WHERE ${conditions.join(" AND ")}
          ORDER BY ${query.pendingOnly ? "w.resource_id" : "r.id"}
          LIMIT ${parameter(query.limit + 1)} OFFSET ${parameter(query.offset)}
        ) candidate
      ) candidate JOIN resources r USING (id)
      WHERE position = 1 OR (position <= ${parameter(query.limit)} AND bytes_so_far <= ${parameter(query.maxBytes)})
    ) p ON true ORDER BY p.id`;
  const statement = { name: "list-resources", text, isPrepared: false, isInOrder: isInOrder(query) };
  const rows = await database.query<PageRow>(statement, values);
  // With an empty page the left join leaves one row: the heads, and nulls.
  const resources = rows.flatMap((row) => (row.id === null ? [] : [resourceFromRow(row)]));
  const hasMore = resources.length < Number(rows[0]?.found ?? 0);
  return {
    resources,
    nextAfterId: hasMore ? resources.at(-1)?.id : undefined,
    heads: parseHeads(rows[0]?.heads ?? ""),
  };
}

/**
 * Whether an index has the order of the page: of everything, of a kind and of a shard. Left to the planner, it would read and sort a
 * whole kind, of which it believes to be small, as long as it has no statistics.
 */
function isInOrder({ filter, pendingOnly }: ListQuery): boolean {
  const { resourceGroup, kind, shardId, ...others } = filter;
  if (pendingOnly || Object.values(others).some((value) => value !== undefined)) return false;
  return shardId === undefined ? (resourceGroup === undefined) === (kind === undefined) : !resourceGroup && !kind;
}

/** `found`: rows of the page before its size was looked at. */
type PageRow = { readonly heads: string; readonly found: bigint | null } & (ResourceRow | { readonly id: null });

function filterConditions({ filter, pendingOnly }: ListQuery, parameter: (value: unknown) => string): string[] {
  const conditions: string[] = [];
  const equal = (column: string, value: string | undefined) => {
    if (value !== undefined) conditions.push(`${column} = ${parameter(value)}`);
  };
  const { resourceGroup, kind } = filter;
  if (
    resourceGroup === undefined ||
    kind === undefined ||
    filter.namespace !== undefined ||
    filter.name !== undefined
  ) {
    equal("r.resource_group", resourceGroup);
    equal("r.kind", kind);
  } else {
    // What the index resources_by_kind is on, in order of creation. "/" may occur in names, so the group is compared too, but as
    // a CASE, of which the planner thinks nothing: without statistics it would believe that two conditions leave hardly a
    // row, and read and sort the whole kind.
    equal("r.resource_group || '/' || r.kind", `${resourceGroup}/${kind}`);
    conditions.push(`CASE WHEN r.resource_group = ${parameter(resourceGroup)} THEN true ELSE false END`);
  }
  equal("r.namespace", filter.namespace);
  equal("r.name", filter.name);
  equal("r.shard_id", filter.shardId);
  equal("r.owner_uid", filter.ownerUid);
  if (pendingOnly) {
    equal("w.resource_group", filter.resourceGroup);
    equal("w.kind", filter.kind);
  }
  return [...conditions, ...labelConditions(filter.labels, parameter)];
}

/** Containment is what the index on labels answers; one alternative per value. */
function labelConditions(selector: LabelSelector | undefined, parameter: (value: unknown) => string): string[] {
  return (selector?.requirements ?? []).map(({ key, values }) => {
    const alternatives = values.map(
      (value) => `r.labels @> ${parameter(JSON.stringify(Object.fromEntries([[key, value]])))}::jsonb`,
    );
    return `(${alternatives.join(" OR ")})`;
  });
}

function parseHeads(text: string): Position[] {
  return text.split(",").map((part) => {
    const [revision = "0", fingerprint = "0"] = part.split(":");
    return { revision: BigInt(revision), fingerprint: BigInt(fingerprint) };
  });
}
