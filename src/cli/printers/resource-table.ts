import type { ClientResource } from "../../client/index.js";
import { findCondition, isReady } from "../../controlloop/conditions.js";
import type { Style } from "../terminal.js";
import { showAge } from "./duration.js";
import type { Column } from "./table.js";

/** A row about a resource. */
export interface ResourceRow {
  readonly resource: ClientResource;
  /** In a watch: what happened; empty for what was there before. */
  readonly event?: string;
}

/** What a table of resources shows. */
export interface ResourceTableShape {
  readonly hasEvents: boolean;
  readonly hasNamespaces: boolean;
  /** When resources of several kinds may come. */
  readonly hasKinds: boolean;
  /** When kinds of one name may be of several groups. */
  readonly hasGroups: boolean;
  readonly isWide: boolean;
}

/** The columns of such a table. */
export function resourceColumns(shape: ResourceTableShape): readonly Column<ResourceRow>[] {
  const { hasEvents, hasNamespaces, hasKinds, hasGroups, isWide } = shape;
  return [
    ...(hasEvents ? [EVENT] : []),
    ...(hasGroups ? [column("GROUP", ({ key }) => key.resourceGroup)] : []),
    ...(hasNamespaces ? [column("NAMESPACE", ({ key }) => key.namespace)] : []),
    ...(hasKinds || isWide ? [column("KIND", ({ key }) => key.kind)] : []),
    column("NAME", ({ key }) => key.name),
    READY,
    column("REASON", reasonOf),
    column("OBSERVED", ({ generation, observedGeneration }) => `${observedGeneration}/${generation}`),
    column("AGE", ({ createdAt }) => showAge(createdAt)),
    ...(isWide ? WIDE : []),
  ];
}

function column(title: string, text: (resource: ClientResource) => string): Column<ResourceRow> {
  return { title, text: ({ resource }) => text(resource) };
}

const EVENT: Column<ResourceRow> = {
  title: "EVENT   ", // as wide as the longest
  text: ({ event = "" }) => event || " ",
  style: ({ event }) => (event === "DELETED" ? "red" : "dim"),
};

const READY: Column<ResourceRow> = {
  title: "READY",
  text: ({ resource }) => findCondition(resource, "Ready")?.status ?? "-",
  style: ({ resource }) => readyStyle(isReady(resource) ? "True" : staleAs(findCondition(resource, "Ready")?.status)),
};

/** True of the generation before is no good news about this one. */
function staleAs(status: string | undefined): string | undefined {
  return status === "True" ? "Unknown" : status;
}

const WIDE: readonly Column<ResourceRow>[] = [
  column("SHARD", ({ shardId }) => shardId),
  column("REVISION", ({ revision }) => String(revision)),
  column("OWNER", ({ owner }) => (owner === undefined ? "-" : `${owner.kind}/${owner.name}`)),
  column("LABELS", ({ labels }) => [...labels].map(([key, value]) => `${key}=${value}`).join(",")),
  column("MESSAGE", (resource) => findCondition(resource, "Ready")?.message ?? ""),
];

/** Why it is as READY says; a deletion that was requested says more than that. */
function reasonOf(resource: ClientResource): string {
  if (resource.deletionRequestedAt !== undefined) return "Deleting";
  return findCondition(resource, "Ready")?.reason ?? "";
}

/** The colour of a condition's status. */
export function readyStyle(status: string | undefined): Style {
  if (status === "True") return "green";
  return status === "False" ? "red" : "yellow";
}
