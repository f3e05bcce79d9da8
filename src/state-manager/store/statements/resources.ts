import { type Column, columnNames, unnestColumns } from "../columns.js";
import type { Statement } from "../database.js";
import {
  ID_COLUMN,
  IDENTITY_COLUMNS,
  METADATA_COLUMNS,
  type PlacedResource,
  RESOURCE_COLUMNS,
  SPEC_COLUMN,
  STATUS_COLUMNS,
} from "../resource-row.js";

/** $1..$4: the parts of the keys, in parallel arrays. */
export const READ_RESOURCES_BY_KEY: Statement = {
  name: "read-resources-by-key",
  text: `
    SELECT ${RESOURCE_COLUMNS}
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (resource_group, kind, namespace, name)
    JOIN resources r USING (resource_group, kind, namespace, name)`,
};

/** Columns of `INSERT_RESOURCES`. */
export const INSERTED_COLUMNS = [ID_COLUMN, ...IDENTITY_COLUMNS, ...METADATA_COLUMNS, SPEC_COLUMN, ...STATUS_COLUMNS];

/** New resources. */
export const INSERT_RESOURCES: Statement = {
  name: "insert-resources",
  text: `
    INSERT INTO resources (${columnNames(INSERTED_COLUMNS)})
    SELECT ${columnNames(INSERTED_COLUMNS)} FROM ${unnestColumns(INSERTED_COLUMNS)}`,
};

/** An update of all resources of a batch whose same payloads changed, and the columns it takes. */
export interface ResourceUpdate {
  readonly statement: Statement;
  readonly columns: readonly Column<PlacedResource>[];
}

function updateOf(name: string, payloads: readonly Column<PlacedResource>[]): ResourceUpdate {
  const written = [...METADATA_COLUMNS, ...payloads];
  const columns = [ID_COLUMN, ...written];
  const text = `
    UPDATE resources r SET ${written.map((column) => `${column.name} = x.${column.name}`).join(", ")}
    FROM ${unnestColumns(columns)} WHERE r.id = x.id`;
  return { statement: { name, text }, columns };
}

/** A payload that did not change is not sent, and not rewritten when it is stored out of line (2.11). */
export const RESOURCE_UPDATES = {
  everything: updateOf("update-resources", [SPEC_COLUMN, ...STATUS_COLUMNS]),
  spec: updateOf("update-resources-spec", [SPEC_COLUMN]),
  status: updateOf("update-resources-status", STATUS_COLUMNS),
};

/** $1: ids. */
export const DELETE_RESOURCES: Statement = {
  name: "delete-resources",
  text: "DELETE FROM resources WHERE id = ANY ($1::bigint[])",
};
