import { useMemo } from "react";
import { navigate } from "wouter/use-browser-location";
import type { ResourceSelection } from "../../../src/client/resource-client.js";
import { PAGES } from "../shell/pages.js";
import { useAddressQuery } from "../shell/use-address-query.js";
import type { Arrangement, SortColumn } from "./arrangement.js";
import { ROW_STATES, type RowState } from "./row.js";

/** The names of the table's filters in the address. */
export type TableFilter = "group" | "kind" | "namespace" | "shard" | "labels" | "text" | "state" | "sort" | "order";

/** What the address says about the table: a link to it shows the same rows to anybody. */
export interface TableQuery {
  /** The text of a filter; empty when it is not set. */
  readonly get: (filter: TableFilter) => string;
  /** What the server selects by. */
  readonly selection: ResourceSelection;
  /** What the page does with what the server sends. */
  readonly arrangement: Arrangement;
}

/** Reads the address. */
export function useTableQuery(): TableQuery {
  const address = useAddressQuery();
  return useMemo(() => {
    const get = (filter: TableFilter) => address.get(filter) ?? "";
    const state = get("state");
    return {
      get,
      selection: {
        resourceGroup: get("group"),
        kind: get("kind"),
        namespace: get("namespace"),
        shardId: get("shard"),
        labelSelector: get("labels"),
      },
      arrangement: {
        sortBy: SORT_COLUMNS.find((column) => column === get("sort")) ?? "name",
        isDescending: get("order") === "desc",
        text: get("text"),
        state: isRowState(state) ? state : undefined,
      },
    };
  }, [address]);
}

/** Changes filters; an empty text takes one out of the address. The last state of typing is what the back button finds. */
export function setTableFilters(changes: Partial<Record<TableFilter, string>>): void {
  const address = new URLSearchParams(window.location.search);
  for (const [filter, text] of Object.entries(changes)) {
    if (text === "") address.delete(filter);
    else address.set(filter, text);
  }
  const query = address.toString();
  navigate(query === "" ? PAGES.resources : `${PAGES.resources}?${query}`, { replace: true });
}

const SORT_COLUMNS: readonly SortColumn[] = [
  "name",
  "kind",
  "namespace",
  "shard",
  "state",
  "generation",
  "created",
  "updated",
];

function isRowState(text: string): text is RowState {
  return Object.hasOwn(ROW_STATES, text);
}
