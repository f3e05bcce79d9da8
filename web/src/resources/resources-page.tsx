import { Link } from "wouter";
import { ErrorNote } from "../elements/error-note.js";
import { PAGES } from "../shell/pages.js";
import { usePageTitle } from "../shell/use-page-title.js";
import { Filters } from "./filters.js";
import { ResourceGrid } from "./resource-grid.js";
import { ROWS_MAX, type RowView } from "./row-store.js";
import { useTableQuery } from "./table-query.js";
import { useRows } from "./use-rows.js";

/** What there is, live. */
export function ResourcesPage() {
  const query = useTableQuery();
  const { view, error } = useRows(query);
  const title = query.selection.kind ? `${query.selection.kind}` : "Resources";
  usePageTitle(title);
  const template = { group: query.get("group"), kind: query.get("kind"), namespace: query.get("namespace") };
  return (
    <>
      <div className="row">
        <h1>{title}</h1>
        <span className="quiet" data-testid="row-count">
          {countOf(view)}
        </span>
        <Link className="button push" href={`${PAGES.create}?${new URLSearchParams(template)}`}>
          Create…
        </Link>
      </div>
      <Filters query={query} />
      <ErrorNote error={error} doing="list the resources" />
      {view.isOverfull && (
        <div role="status" className="note warn">
          There are more. The table holds the {ROWS_MAX.toLocaleString("en")} that were created first; filters by kind,
          namespace, shard or label reach the others.
        </div>
      )}
      <ResourceGrid view={view} arrangement={query.arrangement} />
    </>
  );
}

function countOf({ rows, held, isComplete }: RowView): string {
  const all = held.toLocaleString("en");
  const text = rows.length === held ? all : `${rows.length.toLocaleString("en")} of ${all}`;
  return isComplete ? text : `${text}, reading…`;
}
