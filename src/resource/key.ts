/** Names one resource; unique across shards. */
export interface ResourceKey {
  readonly resourceGroup: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** A (group, kind) pair: what a reconciler takes care of. */
export interface KindRef {
  readonly resourceGroup: string;
  readonly kind: string;
}

/** A map key for `key`. NUL cannot occur in a valid part, so no two keys collide; sorting by it is the lock order. */
export function keyId(key: ResourceKey): string {
  return `${key.resourceGroup}\0${key.kind}\0${key.namespace}\0${key.name}`;
}

/** A map key for a kind. */
export function kindId(kind: KindRef): string {
  return `${kind.resourceGroup}\0${kind.kind}`;
}

/** How messages and logs name a resource: `apps/Widget default/a`. */
export function describeKey(key: ResourceKey): string {
  return `${key.resourceGroup}/${key.kind} ${key.namespace}/${key.name}`;
}
