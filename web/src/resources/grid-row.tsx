import { memo } from "react";
import { Link } from "wouter";
import { visible } from "../../../src/resource/visible.js";
import { Age } from "../elements/age.js";
import { Badge } from "../elements/badge.js";
import { pathOf } from "../shell/pages.js";
import { ROW_STATES, type Row } from "./row.js";

/** A change is marked for this long, in milliseconds; the animation is a little shorter. */
const NEWS_MS = 1_500;

/** One resource in the table. Drawn again only when it changed or moved. */
export const GridRow = memo(function GridRow(props: {
  readonly row: Row;
  readonly index: number;
  readonly top: number;
  readonly isCurrent: boolean;
}) {
  const { row, index, top, isCurrent } = props;
  const { text, tone } = ROW_STATES[row.state];
  const isBehind = row.observedGeneration < row.generation;
  return (
    <div
      id={`row-${row.uid}`}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isCurrent}
      className={`grid-line grid-row ${newsClass(row)}`}
      style={{ transform: `translateY(${top}px)` }}
    >
      <Cell className="name">
        <Link href={pathOf(row)} tabIndex={-1}>
          {visible(row.name)}
        </Link>
        <span className="below quiet">{visible(`${row.kind} · ${row.namespace}`)}</span>
      </Cell>
      <Cell className="minor" title={visible(`${row.resourceGroup}/${row.kind}`)}>
        {visible(row.kind)}
      </Cell>
      <Cell className="minor">{visible(row.namespace)}</Cell>
      <Cell title={visible(row.message, true)}>
        <Badge tone={tone}>{text}</Badge>
        <span className="message quiet">{row.state === "ready" ? "" : visible(row.message, true)}</span>
      </Cell>
      <Cell className="minor" title="observed generation / generation">
        <span className={isBehind ? "behind" : "quiet"}>
          {row.observedGeneration}/{row.generation}
        </span>
      </Cell>
      <Cell className="minor">{visible(row.shardId)}</Cell>
      <Cell className="minor">
        <Age at={row.updatedAt} />
      </Cell>
      <Cell>
        <Age at={row.createdAt} />
      </Cell>
    </div>
  );
});

function Cell(props: { readonly className?: string; readonly title?: string; readonly children: React.ReactNode }) {
  return (
    <div role="gridcell" className={props.className} title={props.title}>
      {props.children}
    </div>
  );
}

/** Two classes with the same animation under two names: when one follows the other, it begins anew. */
function newsClass({ seenAt, writeCount }: Row): string {
  if (seenAt === 0 || performance.now() - seenAt > NEWS_MS) return "";
  return writeCount % 2n === 0n ? "news-even" : "news-odd";
}
