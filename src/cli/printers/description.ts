import type { ClientResource, ClientWork } from "../../client/index.js";
import { parseExact } from "../../manifest/exact.js";
import { type ShownCondition, splitStatus } from "../../manifest/split-status.js";
import { yamlText } from "../../manifest/yaml.js";
import { printable } from "../printable.js";
import type { Output } from "../terminal.js";
import { showAge, showTime } from "./duration.js";
import { readyStyle } from "./resource-table.js";

/** Everything about one resource but its history, in sections. */
export function describeResource(output: Output, resource: ClientResource, work: ClientWork): string {
  const { conditions, rest } = splitStatus(parseExact(resource.statusJson));
  const { key } = resource;
  const sections = [
    section(output, `${key.kind} ${key.namespace}/${key.name}`, facts(metadata(resource))),
    section(output, "Deletion", deletion(work)),
    section(
      output,
      "Conditions",
      conditions.map((condition) => describeCondition(output, condition)),
    ),
    section(output, "Spec", yamlLines(parseExact(resource.specJson))),
    section(output, "Status", yamlLines(rest)),
    section(output, "Work", facts(workFacts(work))),
  ];
  return sections.filter((text) => text !== "").join("\n");
}

/** A name and what is to be said; undefined or empty: nothing. */
type Fact = readonly [name: string, text: string | undefined];

function metadata(resource: ClientResource): readonly Fact[] {
  const { key, owner, labels, annotations, finalizers, createdAt, updatedAt } = resource;
  return [
    ["Group", key.resourceGroup],
    ["Shard", resource.shardId],
    ["Uid", resource.uid],
    ["Owner", owner && `${owner.kind}/${owner.name}`],
    ["Labels", pairs(labels)],
    ["Annotations", pairs(annotations)],
    ["Finalizers", finalizers.join(", ")],
    ["Created", `${showTime(createdAt)} (${createdAt.toISOString()})`],
    ["Updated", `${showTime(updatedAt)} (${updatedAt.toISOString()})`],
    ["Generation", `${resource.generation}, observed ${resource.observedGeneration}`],
    ["Revision", String(resource.revision)],
  ];
}

function pairs(map: ReadonlyMap<string, string>): string {
  return [...map].map(([key, value]) => `${key}=${value}`).join(", ");
}

function deletion({ deletionRequestedAt, finalizers }: ClientWork): readonly string[] {
  if (deletionRequestedAt === undefined) return [];
  const holds = finalizers.map(({ finalizer, owner, isOwnerLive, message }) => {
    const who =
      owner === ""
        ? "nobody is known to take it off"
        : `${owner} is to take it off${isOwnerLive ? "" : ", and is not running"}`;
    return `held by ${finalizer}: ${who}${message === "" ? "" : `; ${message}`}`;
  });
  return [`requested ${showTime(deletionRequestedAt)}`, ...holds].map((line) => printable(line));
}

function workFacts({ state, item, holder, reconciler, ownedResources }: ClientWork): readonly Fact[] {
  return [
    ["State", state.toLowerCase()],
    ["Reconciler", reconciler || "none is running for this kind: nothing will happen"],
    [
      "Holder",
      holder &&
        `${holder.name} ${holder.instanceId}, for ${showAge(item?.leasedAt)}, until ${showTime(item?.deadline)}`,
    ],
    ["Progress", item?.progress],
    ["Due", item?.dueAt && `${showTime(item.dueAt)}, reason ${item.reason}`],
    ["Pending", item?.pendingSince && `for ${showAge(item.pendingSince)}`],
    ["Failures", item && item.failures > 0 ? String(item.failures) : undefined],
    ["Last error", item?.lastError],
    [
      "Quarantined",
      item?.quarantinedAt &&
        `${showTime(item.quarantinedAt)}, after ${item.strikes} workers died; "reconcile release" ends it`,
    ],
    ["Owns", ownedResources > 0 ? `${ownedResources} resources` : undefined],
  ];
}

function facts(all: readonly Fact[]): readonly string[] {
  const shown = all.filter(([, text]) => text !== undefined && text !== "");
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, text = ""]) => `${`${name}:`.padEnd(width + 2)} ${printable(text)}`);
}

function describeCondition(output: Output, { type, status, reason, message, since }: ShownCondition): string {
  const truth = output.style(readyStyle(status), printable(status));
  const why = [reason, message].filter((word) => word !== "").join(": ");
  return `${printable(type)} ${truth}${since === undefined ? "" : `, for ${showAge(since)}`}  ${printable(why)}`;
}

function yamlLines(value: unknown): readonly string[] {
  return printable(yamlText(value), true).trimEnd().split("\n");
}

function section(output: Output, title: string, lines: readonly string[]): string {
  if (lines.length === 0) return "";
  return `${output.style("bold", printable(title))}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
