/** How PostgreSQL would run a statement. */
import type { Database, Statement } from "../../src/state-manager/store/database.js";

export interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly Plans?: readonly PlanNode[];
}

/** The nodes of the generic plan that the pool's connections use; `values` are SQL. */
export async function planOf(
  database: Database,
  { name, text }: Statement,
  values: readonly string[] = [],
): Promise<PlanNode[]> {
  const rows = await database.withConnection(async (connection) => {
    await connection.query({ name: `prepare-${name}`, text: `PREPARE planned AS ${text}` });
    try {
      const explain = `EXPLAIN (FORMAT JSON) EXECUTE planned${values.length > 0 ? `(${values.join(", ")})` : ""}`;
      return await connection.query<{ "QUERY PLAN": string }>({ name: `explain-${name}`, text: explain });
    } finally {
      await connection.query({ name: "deallocate-planned", text: "DEALLOCATE planned" });
    }
  });
  const [plan] = JSON.parse(rows[0]?.["QUERY PLAN"] ?? "[]") as { Plan: PlanNode }[];
  if (plan === undefined) throw new Error("EXPLAIN returned no plan");
  return nodesOf(plan.Plan);
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}
