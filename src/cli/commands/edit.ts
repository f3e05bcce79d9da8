import { isDeepStrictEqual } from "node:util";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { type ClientResource, isConflict, type ResourceClient, type ResourceDraft } from "../../client/index.js";
import { parseManifests } from "../../manifest/parse-manifests.js";
import type { Manifest } from "../../manifest/read-manifest.js";
import { manifestOf, sameManifest } from "../../manifest/resource-document.js";
import { yamlText } from "../../manifest/yaml.js";
import { keyId } from "../../resource/key.js";
import { sameJson } from "../../resource/same-json.js";
import { Draft } from "../edit-draft.js";
import { EXIT, Failure, usageError } from "../exit-codes.js";
import { describeFailure } from "../failure-text.js";
import { nameOf } from "../name-of.js";
import { oneResourceCommand } from "../options.js";
import { findResource, readNamedTarget } from "../target.js";
import type { Cli } from "../terminal.js";
import { withClient } from "../with-client.js";

/** `reconcile edit`: one resource in an editor. A change that somebody else made meanwhile is never overwritten. */
export function editCommand(cli: Cli): CommandUnknownOpts {
  return oneResourceCommand("edit")
    .description("Opens VISUAL, EDITOR or vi. What you wrote is kept when it cannot be stored.")
    .action(async (kind, name, options) => {
      const target = readNamedTarget(kind, name);
      if (!cli.env.VISUAL && !cli.env.EDITOR && !("isTTY" in cli.stdin && cli.stdin.isTTY)) {
        throw usageError(
          "edit needs a terminal, or VISUAL or EDITOR: without one, store what get -o yaml prints, then apply it",
        );
      }
      await withClient(cli, options, async (client, place) => {
        const resource = await findResource(client, place, target);
        const label = nameOf(resource.key);
        const original = yamlText(manifestOf(resource));
        const draft = new Draft(
          resource.key,
          `# ${label}: save and close to store it; with nothing changed, or empty, nothing is.\n${original}`,
        );
        const sayUnchanged = () => cli.out.write(`${label} ${cli.out.style("dim", "unchanged")}\n`);
        if (!(await draft.edit(cli.env))) return await sayUnchanged();
        try {
          const manifest = readDraft(draft, resource);
          const opened = parseManifests(original, draft.file, place.namespace).manifests[0];
          const isSame = opened !== undefined && sameDraft(manifest.draft, opened.draft);
          if (!isSame) await store(client, resource, manifest);
          draft.remove();
          if (isSame) return await sayUnchanged();
        } catch (error) {
          const { text, exitCode, problems } = describeFailure(error);
          throw new Failure(
            `${text}; nothing is stored. Your text is in ${draft.file}: compare it by "reconcile diff -f", correct it, apply it`,
            exitCode,
            problems,
          );
        }
        await cli.out.write(`${label} ${cli.out.style("yellow", "edited")}\n`);
      });
    });
}

function readDraft({ file, text }: Draft, { key }: ClientResource): Manifest {
  const { manifests, problems } = parseManifests(text, file, key.namespace);
  if (problems.length > 0) throw new Failure("this is no manifest", EXIT.usage, problems);
  const [manifest, ...more] = manifests;
  if (manifest === undefined || more.length > 0) throw usageError(`${file}: must be one manifest`);
  if (keyId(manifest.draft.key) === keyId(key)) return manifest;
  throw usageError(
    `${manifest.source.atField("name")}: group, kind, namespace and name must stay; apply makes another resource`,
  );
}

/** By value: keys in another order are nothing new. */
function sameDraft(
  { specJson: a = "null", ...draft }: ResourceDraft,
  { specJson: b = "null", ...opened }: ResourceDraft,
) {
  return isDeepStrictEqual(draft, opened) && sameJson(a, b);
}

/** A status or a label that a reconciler wrote meanwhile is no reason to refuse; what the text shows is. */
async function store(client: ResourceClient, opened: ClientResource, { draft }: Manifest): Promise<void> {
  const { key, uid } = opened;
  for (let { revision } = opened; ; ) {
    try {
      await client.update({ ...draft, owner: draft.owner ?? null }, { revision, uid });
      return;
    } catch (error) {
      if (!isConflict(error)) throw error;
      const stored = await client.get(key);
      if (stored?.uid !== uid || !sameManifest(stored, opened)) {
        throw new Failure(`${nameOf(key)} was changed by somebody else meanwhile`, EXIT.failed);
      }
      revision = stored.revision;
    }
  }
}
