import { isAlias, isMap, isNode, isScalar, isSeq, type Node, type YAMLMap } from "yaml";
import { JSON_DEPTH_MAX, RESOURCE_MAX_BYTES } from "../resource/limits.js";
import { type Aliases, unresolvedAlias } from "./aliases.js";
import { keyText, scalarJson, tagProblem } from "./scalar-json.js";

/** Called with the node that is wrong, as often as something is. */
export type Complain = (node: unknown, problem: string) => void;

/**
 * The JSON text of a YAML node, aliases and merge keys done: the same value to the digit, or a complaint and `undefined`.
 *
 * From the nodes and not from the package's JavaScript values: those have lost two keys that become one, digits, tags and
 * places. Written out it is bounded like a resource, so that a few aliases of aliases do not fill the memory.
 */
export function jsonOfNode(node: unknown, aliases: Aliases, complain: Complain): string | undefined {
  const writer = new Writer(aliases, complain);
  const json = writer.value(node, node);
  return writer.isSound ? json : undefined;
}

class Writer {
  readonly #aliases: Aliases;
  readonly #complain: Complain;
  /** The collections that the value being written is in, outermost first. */
  readonly #open: unknown[] = [];
  #characters = 0;
  isSound = true;

  constructor(aliases: Aliases, complain: Complain) {
    this.#aliases = aliases;
    this.#complain = complain;
  }

  /** `place`: the node to complain at, because one that is left out has none. */
  value(written: unknown, place: unknown): string {
    const node = this.#aliases.resolve(written);
    if (isAlias(written) && node === undefined) {
      return this.#refuse(written, unresolvedAlias(written));
    }
    if (!isNode(node)) return this.#count("null");
    const problem = tagProblem(node.tag);
    if (problem !== undefined) return this.#refuse(written, problem);
    if (isScalar(node)) {
      const scalar = scalarJson(node);
      return "json" in scalar ? this.#count(scalar.json) : this.#refuse(written, scalar.problem);
    }
    if (this.#open.includes(node))
      return this.#refuse(written, "an alias must not be inside of what it stands for: JSON has no circles");
    if (this.#open.length === JSON_DEPTH_MAX) {
      return this.#refuse(place, `a value must not be nested deeper than ${JSON_DEPTH_MAX} levels`);
    }
    this.#open.push(node);
    const text = isMap(node) ? this.#object(node) : isSeq<Node>(node) ? this.#array(node.items) : "null";
    this.#open.pop();
    return text;
  }

  #array(items: readonly unknown[]): string {
    const values: string[] = [];
    for (const item of items) {
      if (this.#isFull) break;
      values.push(this.value(item, item));
    }
    return this.#count(`[${values.join(",")}]`, items.length + 2);
  }

  #object(map: YAMLMap): string {
    const members = this.#members(map);
    const text = [...members].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",");
    return this.#count(`{${text}}`, members.size + 2);
  }

  /** A key of the mapping itself wins over one that is merged in, wherever they stand; of those merged in the first wins. */
  #members(map: YAMLMap): Map<string, string> {
    const members = new Map<string, string>();
    const own = new Set<string>();
    for (const { key: keyNode, value } of map.items) {
      if (this.#isFull) break;
      if (isMergeKey(keyNode)) {
        for (const [key, text] of this.#merged(value, keyNode)) if (!members.has(key)) members.set(key, text);
        continue;
      }
      const found = keyText(this.#aliases.resolve(keyNode));
      if ("problem" in found) {
        this.#refuse(keyNode, found.problem);
        continue;
      }
      const { key } = found;
      if (own.has(key))
        this.#refuse(keyNode, `${JSON.stringify(key)} is given twice in one mapping; remove all but one`);
      own.add(key);
      this.#count(key);
      members.set(key, this.value(value, keyNode));
    }
    return members;
  }

  #merged(value: unknown, place: unknown): readonly (readonly [string, string])[] {
    const node = this.#aliases.resolve(value);
    const sources = isSeq<Node>(node) ? node.items : [value];
    return sources.flatMap((source) => {
      const map = this.#aliases.resolve(source);
      if (!isMap(map) || this.#open.includes(map)) {
        this.#refuse(source ?? place, "<< must be a mapping, an alias of one, or a list of them");
        return [];
      }
      this.#open.push(map);
      const members = [...this.#members(map)];
      this.#open.pop();
      return members;
    });
  }

  /** Counts what is written, and complains once when it is too much. */
  #count(text: string, characters = text.length): string {
    const wasFull = this.#isFull;
    this.#characters += characters;
    if (this.#isFull && !wasFull) {
      this.#refuse(
        this.#open[0],
        `a value must be at most ${RESOURCE_MAX_BYTES} bytes with its aliases written out; keep large data elsewhere and refer to it`,
      );
    }
    return text;
  }

  get #isFull(): boolean {
    return this.#characters > RESOURCE_MAX_BYTES;
  }

  #refuse(node: unknown, problem: string): string {
    this.isSound = false;
    this.#complain(node, problem);
    return "null";
  }
}

/** The package reads an unquoted << as a symbol. */
function isMergeKey(key: unknown): boolean {
  return isScalar(key) && typeof key.value === "symbol";
}
