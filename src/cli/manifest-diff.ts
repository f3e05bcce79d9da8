import type { Applied } from "../client/index.js";
import { alignKeys } from "../manifest/align-keys.js";
import type { Manifest } from "../manifest/read-manifest.js";
import { manifestOf } from "../manifest/resource-document.js";
import { yamlText } from "../manifest/yaml.js";
import { nameOf } from "./name-of.js";
import { unifiedDiff } from "./printers/diff.js";
import type { Output } from "./terminal.js";

/** What a dry run of an apply says would change, as a diff of manifests; empty when nothing would. */
export function manifestDiff(output: Output, { source, draft }: Manifest, dryRun: Applied<unknown, unknown>): string {
  if (!dryRun.isChanged) return "";
  const { previous, resource } = dryRun;
  const name = nameOf(draft.key);
  const before = previous && manifestOf(previous);
  return unifiedDiff(
    output,
    { title: `${name} as stored`, text: before === undefined ? "" : yamlText(before) },
    { title: `${name} of ${source.atField("")}`, text: yamlText(alignKeys(manifestOf(resource), before)) },
  );
}
