import type { Position } from "../../resource/change.js";

/** How far the streams of existing operators are, per log; states and transitions: SPEC.md. */
export type CompatState =
  /** Redis holds no position: it is new, or lost its data. */
  | { readonly type: "lost" }
  /** Every change up to `position` has its entry. */
  | { readonly type: "at"; readonly position: Position }
  /** The resources up to `afterId` have been announced; at the end the position is `head`, noted before the first was read. */
  | { readonly type: "listing"; readonly head: Position; readonly afterId: bigint };

/** A state and the text Redis holds of it, with which it is compared before it is replaced. */
export interface StoredState {
  readonly text: string;
  readonly state: CompatState;
}

/** `at <revision> <fingerprint>` */
export function stateAt({ revision, fingerprint }: Position): string {
  return `at ${revision} ${fingerprint}`;
}

/** `listing <revision> <fingerprint> <afterId>` */
export function stateListing({ revision, fingerprint }: Position, afterId: bigint): string {
  return `listing ${revision} ${fingerprint} ${afterId}`;
}

/** Reads a text; one that no program of ours wrote says as little as none. */
export function parseState(text: string): StoredState {
  const [, type, revision, fingerprint, afterId] =
    /^(at|listing) (\d{1,19}) (-?\d{1,19})(?: (\d{1,19}))?$/.exec(text) ?? [];
  if (type === undefined || revision === undefined || fingerprint === undefined)
    return { text, state: { type: "lost" } };
  const position = { revision: BigInt(revision), fingerprint: BigInt(fingerprint) };
  if (type === "at") return { text, state: { type, position } };
  return { text, state: { type: "listing", head: position, afterId: BigInt(afterId ?? 0) } };
}
