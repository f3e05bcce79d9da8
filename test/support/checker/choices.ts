/** What clients of the contended load may choose from: few keys, so that they get into each other's way. */
import type { ResourceKey } from "../../../src/resource/key.js";
import type { Random } from "../seed.js";
import type { Answer, Desired } from "./caller.js";

/** Kinds, and how many names of each there are. */
const NAMES: Readonly<Record<string, number>> = { one: 4, two: 4, site: 3, page: 8, batch: 12, job: 6 };
export const CONTENDED_KINDS: readonly string[] = Object.keys(NAMES);
/** The kind that a reconciler takes care of. */
export const RECONCILED_KIND = "job";
export const HOLD = "load/hold";
const SHARDS = ["s0", "s1", "s2"];
const TIERS = ["web", "api"];
/** Travels to Redis by reference (2.6). */
const LARGE = "x".repeat(70_000);

/** How often a client makes which call. */
export const CALLS = {
  create: 12,
  update: 16,
  apply: 12,
  run: 8,
  status: 10,
  delete: 9,
  force: 5,
  get: 14,
  cached: 18,
  list: 6,
  enqueue: 5,
} as const;

export function chooseKey(random: Random, kind = random.pick(CONTENDED_KINDS)): ResourceKey {
  const name = `${kind}-${random.below(NAMES[kind] ?? 1)}`;
  return { resourceGroup: "load", kind, namespace: "default", name };
}

export function chooseTier(random: Random): string {
  return random.pick(TIERS);
}

/** Keys for one ApplyResources: each once. */
export function chooseRun(random: Random): readonly ResourceKey[] {
  const keys = Array.from({ length: 2 + random.below(6) }, () =>
    chooseKey(random, random.chance(0.7) ? "batch" : random.pick(["one", "two"])),
  );
  return [...new Map(keys.map((key) => [`${key.kind}/${key.name}`, key])).values()];
}

/** A desired state that says which write made it. */
export function chooseDesired(random: Random, key: ResourceKey, number: number, known: Answer | undefined): Desired {
  const isMove = random.chance(0.1);
  // Whoever knows that it is to go lets go of it.
  const isHeld = random.chance(0.25) && known?.isDeleting !== true;
  const isLarge = random.chance(0.01);
  return {
    key,
    shardId: known === undefined || isMove ? random.pick(SHARDS) : known.shardId,
    labels: { tier: chooseTier(random) },
    annotations: {},
    finalizers: isHeld ? [HOLD] : [],
    specJson: JSON.stringify({ write: number, ...(isLarge && { padding: LARGE }) }),
    owner: key.kind === "page" && random.chance(0.8) ? ownerOf(random) : undefined,
  };
}

function ownerOf(random: Random) {
  const { resourceGroup, kind, name } = chooseKey(random, "site");
  return { resourceGroup, kind, name };
}
