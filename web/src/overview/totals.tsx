import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { KindSummary } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { Age } from "../elements/age.js";
import { pathOfResources } from "../shell/pages.js";
import "./totals.css";

/** The sums over all kinds; each leads to what it counts. */
export function Totals({ kinds = [] }: { readonly kinds: readonly KindSummary[] | undefined }) {
  const sum = (count: (kind: KindSummary) => bigint) => kinds.reduce((total, kind) => total + count(kind), 0n);
  const waitingSince = kinds.flatMap(({ oldestDueAt }) =>
    oldestDueAt === undefined ? [] : [timestampMs(oldestDueAt)],
  );
  const oldest = waitingSince.length === 0 ? undefined : Math.min(...waitingSince);
  return (
    <dl className="totals">
      <Total name="Resources" value={format(sum(({ resources }) => resources))} href={pathOfResources({})} />
      <Total
        name="Pending"
        value={format(sum(({ pending }) => pending))}
        href={pathOfResources({ state: "pending" })}
        title="The reconciler has not finished the latest desired state"
      />
      <Total
        name="Not ready"
        value={format(sum(({ notReady }) => notReady))}
        href={pathOfResources({ state: "not-ready" })}
        title="The condition Ready is there and not True"
      />
      <Total name="Failing" value={format(sum(({ failing }) => failing))} title="The last pass failed" />
      <Total
        name="Quarantined"
        value={format(sum(({ quarantined }) => quarantined))}
        href="/reconcilers"
        title="Workers died holding it: tried again only now and then"
      />
      <Total name="Due" value={format(sum(({ due }) => due))} title="Work that no worker has taken yet" />
      <Total name="Held" value={format(sum(({ leased }) => leased))} title="Work in the hands of workers" />
      <Total name="Oldest wait" value={<Age at={oldest} />} title="How long the longest due work has been waiting" />
    </dl>
  );
}

function Total(props: {
  readonly name: string;
  readonly value: ReactNode;
  readonly href?: string;
  readonly title?: string;
}) {
  return (
    <div title={props.title}>
      <dt>{props.name}</dt>
      <dd>{props.href === undefined ? props.value : <Link href={props.href}>{props.value}</Link>}</dd>
    </div>
  );
}

/** More digits than these would not fit on a phone. */
const EXACT_BELOW = 10_000_000n;

function format(count: bigint): string {
  if (count < EXACT_BELOW) return count.toLocaleString("en");
  return count.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
}
