import type { Command, MetadataInput } from "../../resource/command.js";

/** Roughly what a command adds to a batch, in characters, and an allowance for the rest. */
export function sizeOf(command: Command): number {
  const allowance = 512;
  switch (command.type) {
    case "create":
    case "update":
    case "apply":
      return allowance + (command.input.specJson?.length ?? 0) + metadataSize(command.input);
    case "update-status":
      return allowance + (command.statusJson?.length ?? 0) + (command.metadata ? metadataSize(command.metadata) : 0);
    case "report": {
      const { statusJson, labels, annotations } = command.report;
      return allowance + (statusJson?.length ?? 0) + entriesSize(labels) + entriesSize(annotations);
    }
    case "delete":
    case "hold":
    case "show-quarantine":
    case "release-quarantine":
    case "collect":
    case "release-owner":
    case "force-finalizer":
      return allowance;
  }
}

function metadataSize({
  labels,
  annotations,
  finalizers,
}: Pick<MetadataInput, "labels" | "annotations" | "finalizers">) {
  return entriesSize(labels) + entriesSize(annotations) + finalizers.reduce((sum, { length }) => sum + length, 0);
}

function entriesSize(entries: ReadonlyMap<string, string | null>): number {
  let size = 0;
  for (const [key, value] of entries) size += key.length + (value?.length ?? 0);
  return size;
}
