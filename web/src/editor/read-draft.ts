import type { ClientResource } from "../../../src/client/client-resource.js";
import type { ResourceDraft } from "../../../src/client/resource-draft.js";
import { parseManifests } from "../../../src/manifest/parse-manifests.js";
import { manifestOf } from "../../../src/manifest/resource-document.js";
import { yamlText } from "../../../src/manifest/yaml.js";

/** A resource as the editor shows it: the manifest that the command line reads and writes too. */
export function manifestText(resource: ClientResource): string {
  return yamlText(manifestOf(resource));
}

/** Reads the one manifest in a text. `problems` say where; without any there is a draft. */
export function readDraft(text: string): { readonly draft?: ResourceDraft; readonly problems: readonly string[] } {
  const { manifests, problems } = parseManifests(text, "manifest", "default");
  if (problems.length > 0) return { problems };
  const [manifest, ...others] = manifests;
  if (manifest === undefined) return { problems: ["there is no manifest in the text"] };
  if (others.length > 0) return { problems: ["the text must be one manifest; create the others one by one"] };
  return { draft: manifest.draft, problems };
}
