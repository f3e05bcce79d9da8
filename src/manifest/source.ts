import { isCollection, type LineCounter, type Node } from "yaml";
import type { Aliases } from "./aliases.js";

/** Where the nodes of one piece of a file stand in the file. */
export class Places {
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #offset: number;

  /** `lines` are those of the whole file, in which the piece begins at `offset`. */
  constructor(file: string, lines: LineCounter, offset: number) {
    this.#file = file;
    this.#lines = lines;
    this.#offset = offset;
  }

  /** `file:line:column` of an offset in the piece. */
  at(offset: number): string {
    const { line, col } = this.#lines.linePos(offset + this.#offset);
    return `${this.#file}:${line}:${col}`;
  }
}

/** One manifest in a file, and where each of its fields stands. */
export class ManifestSource {
  readonly #places: Places;
  readonly aliases: Aliases;
  /** What the manifest is read from. */
  readonly node: Node;

  constructor(places: Places, aliases: Aliases, node: Node) {
    this.#places = places;
    this.aliases = aliases;
    this.node = node;
  }

  /** `file:line:column` of the field that the server's name for it (`labels["a"]`, `shard_id`) leads to, as far as it is there. */
  atField(field: string): string {
    return this.#places.at(offsetOf(this.nodeAt(field)));
  }

  /** The node of a field, or of the innermost part of its path that is there. */
  nodeAt(field: string): unknown {
    const [first = "", ...rest] = field.match(/[^.[\]"]+/g) ?? [];
    let node: unknown = this.node;
    for (const part of [WIRE_NAMES.get(first) ?? first, ...rest]) {
      const next = isCollection(node) ? node.get(part, true) : undefined;
      if (next === undefined) break;
      node = this.aliases.resolve(next);
    }
    return node;
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
