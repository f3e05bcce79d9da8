import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useCallback, useEffect, useRef, useState } from "react";
import { navigate } from "wouter/use-browser-location";
import { pathOf } from "../shell/pages.js";
import type { Arrangement, SortColumn } from "./arrangement.js";
import { GridRow } from "./grid-row.js";
import type { RowView } from "./row-store.js";
import { Slots } from "./slots.js";
import { setTableFilters } from "./table-query.js";
import { useMediaQuery } from "./use-media-query.js";
import "./resource-grid.css";

const COLUMNS: readonly { readonly name: string; readonly sort: SortColumn; readonly isMinor?: true }[] = [
  { name: "Name", sort: "name" },
  { name: "Kind", sort: "kind", isMinor: true },
  { name: "Namespace", sort: "namespace", isMinor: true },
  { name: "State", sort: "state" },
  { name: "Generation", sort: "generation", isMinor: true },
  { name: "Shard", sort: "shard", isMinor: true },
  { name: "Changed", sort: "updated", isMinor: true },
  { name: "Age", sort: "created" },
];

/** As in resource-grid.css, all three. */
const HEAD_HEIGHT_PX = 31;
const ROW_HEIGHT_PX = 33;
/** On a phone a row has two lines. */
const NARROW_ROW_HEIGHT_PX = 50;

/**
 * The table. Only the rows in sight are in the document, which a table element cannot do. It has the focus, and the arrows
 * move its current row: the grid pattern of WAI-ARIA with aria-activedescendant.
 */
export function ResourceGrid({ view, arrangement }: { readonly view: RowView; readonly arrangement: Arrangement }) {
  const { rows } = view;
  const scroller = useRef<HTMLDivElement>(null);
  const slots = useRef(new Slots());
  const isNarrow = useMediaQuery("(width < 700px)");
  const rowHeight = isNarrow ? NARROW_ROW_HEIGHT_PX : ROW_HEIGHT_PX;
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: useCallback(() => rowHeight, [rowHeight]),
    overscan: 3,
    // The rows begin below the head, which then stays in sight and must not cover the current one.
    scrollMargin: HEAD_HEIGHT_PX,
    scrollPaddingStart: HEAD_HEIGHT_PX,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: places are computed once for a height
  useEffect(() => virtualizer.measure(), [virtualizer, rowHeight]);
  const [current, setCurrent] = useState<string>();

  const drawn = virtualizer.getVirtualItems().flatMap(({ index, start }) => {
    const row = rows[index];
    return row === undefined ? [] : [{ row, index, top: start - HEAD_HEIGHT_PX }];
  });
  const keys = slots.current.assign(drawn.map(({ row }) => row.uid));

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || rows.length === 0) return;
    const at = rows.findIndex(({ uid }) => uid === current);
    if (event.key === "Enter" && rows[at] !== undefined) navigate(pathOf(rows[at]));
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2);
    const next = nextIndex(event.key, at, rows.length, page);
    if (next === undefined) return;
    event.preventDefault();
    setCurrent(rows[next]?.uid);
    virtualizer.scrollToIndex(next);
  };

  return (
    <div
      ref={scroller}
      className="grid"
      role="grid"
      tabIndex={0}
      aria-label="Resources"
      aria-rowcount={rows.length + 1}
      aria-activedescendant={current === undefined ? undefined : `row-${current}`}
      onKeyDown={onKeyDown}
    >
      <Head arrangement={arrangement} />
      <div className="grid-body" role="rowgroup" style={{ height: virtualizer.getTotalSize() }}>
        {drawn.map(({ row, index, top }, at) => (
          <GridRow key={keys[at]} row={row} index={index} top={top} isCurrent={row.uid === current} />
        ))}
      </div>
      {rows.length === 0 && view.isComplete && <Nothing isHiding={view.held > 0} />}
    </div>
  );
}

function Head({ arrangement }: { readonly arrangement: Arrangement }) {
  const { sortBy, isDescending } = arrangement;
  return (
    <div className="grid-head grid-line" role="row" aria-rowindex={1}>
      {COLUMNS.map(({ name, sort, isMinor }) => (
        <div
          key={sort}
          role="columnheader"
          className={isMinor && "minor"}
          aria-sort={sort !== sortBy ? "none" : isDescending ? "descending" : "ascending"}
        >
          <button
            type="button"
            className="plain"
            onClick={() => setTableFilters({ sort, order: sort === sortBy && !isDescending ? "desc" : "" })}
          >
            {name}
            <span aria-hidden="true">{sort === sortBy && (isDescending ? "▼" : "▲")}</span>
          </button>
        </div>
      ))}
    </div>
  );
}

function Nothing({ isHiding }: { readonly isHiding: boolean }) {
  return (
    <p className="grid-empty quiet">
      {isHiding ? "Nothing matches the text and the state." : "There are no such resources. New ones appear here."}
    </p>
  );
}

function nextIndex(key: string, at: number, count: number, page: number): number | undefined {
  const clamp = (index: number) => Math.min(Math.max(index, 0), count - 1);
  switch (key) {
    case "ArrowDown":
      return clamp(at + 1);
    case "ArrowUp":
      return clamp(at - 1);
    case "PageDown":
      return clamp(at + page);
    case "PageUp":
      return clamp(at - page);
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return undefined;
  }
}
