import { type Document, isAlias, isCollection, isNode, type LineCounter, type Node } from "yaml";

/** One manifest in a file, and where each of its fields stands. */
export class ManifestSource {
  readonly #file: string;
  readonly #document: Document;
  readonly #lines: LineCounter;
  /** What the manifest is read from. */
  readonly node: Node;

  constructor(file: string, document: Document, lines: LineCounter, node: Node) {
    this.#file = file;
    this.#document = document;
    this.#lines = lines;
    this.node = node;
  }

  /** `file:line:column` of a node. */
  at(node: unknown): string {
    const { line, col } = this.#lines.linePos(offsetOf(node));
    return `${this.#file}:${line}:${col}`;
  }

  /** `file:line:column` of the field that the server's word for it (`labels["a"]`, `shard_id`) leads to, as far as it is there. */
  atField(field: string): string {
    const [first = "", ...rest] = field.match(/[^.[\]"]+/g) ?? [];
    let node: unknown = this.node;
    for (const part of [WIRE_NAMES.get(first) ?? first, ...rest]) {
      const next = isCollection(node) ? node.get(part, true) : undefined;
      if (next === undefined) break;
      node = this.resolve(next);
    }
    return this.at(node);
  }

  /** What an alias stands for; anything else as it is. */
  resolve(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }

  /** The value of a node, aliases and merge keys done. */
  value(node: unknown): unknown {
    return isNode(node) ? node.toJS(this.#document) : null;
  }
}

/** Where a node begins in the text. */
export function offsetOf(node: unknown): number {
  const range = typeof node === "object" && node !== null && "range" in node ? node.range : undefined;
  return Array.isArray(range) ? Number(range[0]) : 0;
}

/** What the server calls a field and a manifest otherwise. */
const WIRE_NAMES: ReadonlyMap<string, string> = new Map([
  ["resource_group", "group"],
  ["shard_id", "shard"],
]);
