import { lazy, Suspense, useEffect, useState } from "react";
import type { KindSummary } from "../../../gen/reconcile/v1/resource_service_pb.js";
import type { ClientSession } from "../../../src/client/client-work.js";
import { Panel } from "../elements/panel.js";
import { type LoadPoint, LoadSeries } from "./load-series.js";
import "./charts.css";

const LineChart = lazy(() => import("./line-chart.js"));

/** Outside the page: who comes back to it finds what was drawn before. */
const load = new LoadSeries();

const CHARTS = [
  { title: "Passes per second", tone: "good", pick: (point: LoadPoint) => point.passesPerSecond },
  { title: "Errors per second", tone: "bad", pick: (point: LoadPoint) => point.errorsPerSecond },
  { title: "Due, waiting for a worker", tone: "calm", pick: (point: LoadPoint) => point.due },
] as const;

/** What happened in the last five minutes, as far as this tab was looking. */
export function Charts(props: {
  readonly kinds: readonly KindSummary[] | undefined;
  readonly sessions: readonly ClientSession[] | undefined;
  /** When the sessions were read, in milliseconds since 1970: counters that stand still are a reading too. */
  readonly readAt: number;
}) {
  const { kinds, sessions, readAt } = props;
  const [points, setPoints] = useState(load.points);
  // biome-ignore lint/correctness/useExhaustiveDependencies: one point for each reading of the sessions
  useEffect(() => {
    if (sessions === undefined) return;
    const due = kinds?.reduce((sum, kind) => sum + Number(kind.due), 0);
    setPoints(load.add(readAt, sessions, due).points);
  }, [readAt]);
  return (
    <div className="charts">
      {CHARTS.map(({ title, tone, pick }) => (
        <Panel key={title} title={title} aside={<strong>{format(points.at(-1), pick)}</strong>}>
          <div className={`chart ${tone}`}>
            <Suspense>
              <LineChart
                times={points.map(({ at }) => at / 1_000)}
                values={points.map(pick)}
                label={`${title}: ${format(points.at(-1), pick)} now`}
              />
            </Suspense>
          </div>
        </Panel>
      ))}
    </div>
  );
}

function format(point: LoadPoint | undefined, pick: (point: LoadPoint) => number | null): string {
  const value = point === undefined ? null : pick(point);
  return value === null ? "–" : value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 });
}
