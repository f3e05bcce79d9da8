import { isAlias, isMap, isScalar, isSeq, type YAMLMap } from "yaml";
import type { ResourceDraft } from "../client/index.js";
import { DomainError } from "../resource/errors.js";
import { checkJsonText } from "../resource/json-text.js";
import { keyId } from "../resource/key.js";
import { unresolvedAlias } from "./aliases.js";
import { type Complain, jsonOfNode } from "./json-of-node.js";
import { READ_ONLY_FIELDS } from "./resource-document.js";
import { keyText } from "./scalar-json.js";
import type { ManifestSource } from "./source.js";

/** What a file declares: a draft, and where it comes from. */
export interface Manifest {
  readonly draft: ResourceDraft;
  readonly source: ManifestSource;
}

/** The key of the one it belongs to, as keyId; undefined when it names none. */
export function ownerKey({ draft: { key, owner } }: Manifest): string | undefined {
  return owner ? keyId({ ...owner, namespace: key.namespace }) : undefined;
}

const FIELDS = ["group", "kind", "namespace", "name", "shard", "owner", "labels", "annotations", "finalizers", "spec"];
const OWNER_FIELDS = ["group", "kind", "name", "uid"];

/** Reads one manifest. What is wrong is complained of, all of it; then the answer is undefined. */
export function readManifest(source: ManifestSource, namespace: string, complain: Complain): Manifest | undefined {
  let isSound = true;
  const reader = new FieldReader(source, (node, problem) => {
    isSound = false;
    complain(node, problem);
  });
  const { node } = source;
  if (!isMap(node)) {
    complain(node, `a manifest must be a mapping with ${FIELDS.join(", ")}`);
    return undefined;
  }
  reader.checkNames(node, "", FIELDS, READ_ONLY_FIELDS);
  const group = reader.text(node, "group");
  const draft: ResourceDraft = {
    key: {
      resourceGroup: group,
      kind: reader.text(node, "kind"),
      namespace: reader.text(node, "namespace", namespace),
      name: reader.text(node, "name"),
    },
    shardId: reader.text(node, "shard", "default"),
    labels: reader.texts(node, "labels"),
    annotations: reader.texts(node, "annotations"),
    finalizers: reader.list(node, "finalizers"),
    ...reader.owner(node, group),
    specJson: reader.json(node, "spec"),
  };
  return isSound ? { draft, source } : undefined;
}

/** Reads the fields of one mapping; complains at the node that is wrong. */
class FieldReader {
  readonly #source: ManifestSource;
  readonly #complain: Complain;

  constructor(source: ManifestSource, complain: Complain) {
    this.#source = source;
    this.#complain = complain;
  }

  checkNames(map: YAMLMap, path: string, known: readonly string[], ignored: ReadonlySet<string> = new Set()): void {
    for (const { key } of map.items) {
      const name = isScalar(key) && typeof key.value !== "symbol" ? String(key.value) : String(key);
      if (known.includes(name) || ignored.has(name)) continue;
      this.#complain(key, `${path}${name} is no field of a manifest; the fields are ${known.join(", ")}`);
    }
  }

  text(map: YAMLMap, field: string, fallback?: string, path = field): string {
    const node = this.#get(map, field);
    if (node === undefined) {
      if (fallback === undefined) this.#complain(map, `${path} is missing; a manifest must have it`);
      return fallback ?? "";
    }
    return this.#string(node, path);
  }

  texts(map: YAMLMap, field: string): ReadonlyMap<string, string> {
    const node = this.#get(map, field);
    if (node === undefined) return new Map();
    const texts = new Map<string, string>();
    if (!isMap(node)) this.#complain(node, `${field} must be a mapping of strings`);
    for (const { key, value } of isMap(node) ? node.items : []) {
      const name = keyText(this.#source.aliases.resolve(key));
      if ("problem" in name) {
        this.#complain(key, name.problem);
        continue;
      }
      const path = `${field}["${name.key}"]`;
      if (texts.has(name.key)) this.#complain(key, `${path} is given twice; remove all but one`);
      texts.set(name.key, this.#string(this.#resolve(value) ?? key, path));
    }
    return texts;
  }

  list(map: YAMLMap, field: string): readonly string[] {
    const node = this.#get(map, field);
    if (node === undefined) return [];
    if (isSeq(node)) return node.items.map((item, i) => this.#string(this.#resolve(item), `${field}[${i}]`));
    this.#complain(node, `${field} must be a list of strings`);
    return [];
  }

  /** Left out: stays as it is stored; null: none. */
  owner(map: YAMLMap, group: string): Pick<ResourceDraft, "owner"> {
    if (!map.has("owner")) return {};
    const node = this.#get(map, "owner");
    if (node === undefined) return { owner: null };
    if (!isMap(node)) {
      this.#complain(node, `owner must be a mapping with ${OWNER_FIELDS.join(", ")}`);
      return {};
    }
    this.checkNames(node, "owner.", OWNER_FIELDS);
    const text = (field: string, fallback?: string) => this.text(node, field, fallback, `owner.${field}`);
    const uid = text("uid", "");
    return {
      owner: {
        resourceGroup: text("group", group),
        kind: text("kind"),
        name: text("name"),
        ...(uid !== "" && { uid }),
      },
    };
  }

  json(map: YAMLMap, field: string): string {
    const json = jsonOfNode(map.get(field, true), this.#source.aliases, this.#complain);
    if (json === undefined) return "null";
    try {
      // The server's own definition of a value, here because here it has a place.
      checkJsonText(field, json);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      this.#complain(this.#source.nodeAt(error.field), error.message);
    }
    return json;
  }

  /** Undefined also for null: an empty field is one that is left out. */
  #get(map: YAMLMap, field: string): unknown {
    const node = this.#resolve(map.get(field, true));
    return isScalar(node) && node.value === null ? undefined : node;
  }

  #resolve(node: unknown): unknown {
    const found = this.#source.aliases.resolve(node);
    if (isAlias(node) && found === undefined) this.#complain(node, unresolvedAlias(node));
    return found;
  }

  #string(node: unknown, path: string): string {
    if (isScalar(node) && typeof node.value === "string") return node.value;
    const found = isScalar(node) ? ` (got ${node.source ?? node.value}; quote it)` : "";
    this.#complain(node, `${path} must be a string${found}`);
    return "";
  }
}
