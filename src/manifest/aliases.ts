import { type Alias, type Document, isAlias, type Node, visit } from "yaml";

/**
 * What the aliases of one document stand for: the last node before each that has its anchor. Found in one walk; the package's own
 * `resolve` walks the document again for every alias.
 */
export class Aliases {
  readonly #document: Document;
  #targets: Map<Alias, Node> | undefined;

  constructor(document: Document) {
    this.#document = document;
  }

  /** What an alias stands for, undefined when nothing before it has that anchor; anything else as it is. */
  resolve(node: unknown): unknown {
    if (!isAlias(node)) return node;
    this.#targets ??= findTargets(this.#document);
    return this.#targets.get(node);
  }
}

/** What is wrong with an alias that stands for nothing. */
export function unresolvedAlias({ source }: Alias): string {
  return `Unresolved alias *${source}: nothing before it has the anchor &${source}`;
}

function findTargets(document: Document): Map<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Alias(_, alias) {
      const target = anchors.get(alias.source);
      if (target !== undefined) targets.set(alias, target);
    },
    Value(_, node) {
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
  return targets;
}
