import type { MetadataInput, Precondition, ResourceInput } from "../../resource/command.js";
import type { ResourceKey } from "../../resource/key.js";
import type { Owner } from "../../resource/owner.js";
import type { RestBody } from "./rest-body.js";

/** The create request: the group, namespace and kind of the path win over the body, which names the resource. */
export function decodeCreate(path: ResourceKey, body: RestBody): ResourceInput {
  checkTypes(body);
  const { resourceGroup, kind, namespace } = path;
  return decodeDesired({ resourceGroup, kind, namespace, name: body.string("name") }, body);
}

/** The replace request. `version` guards the write when it is given, 0 too. */
export function decodeUpdate(key: ResourceKey, body: RestBody): { input: ResourceInput; expected: Precondition } {
  checkTypes(body);
  return { input: decodeDesired(key, body), expected: { generation: body.counter("version") } };
}

/**
 * The status request. It replaces the metadata too, and always needs `version`: an absent one is 0, which no stored resource
 * has.
 */
export function decodeStatus(key: ResourceKey, body: RestBody) {
  checkTypes(body);
  return {
    key,
    statusJson: body.json("status"),
    observedGeneration: body.counter("current_version") ?? 0n,
    metadata: decodeMetadata(body),
    expected: { generation: body.counter("version") ?? 0n },
  };
}

/** A value of another type is refused where it is ignored, too: its sender is mistaken about what it writes. */
function checkTypes(body: RestBody): void {
  body.string("name");
  body.counter("version");
  body.counter("current_version");
  decodeOwner(body);
}

function decodeDesired(key: ResourceKey, body: RestBody): ResourceInput {
  const { shardId, labels, annotations, finalizers } = decodeMetadata(body);
  return { key, shardId, labels, annotations, finalizers, specJson: body.json("spec"), owner: decodeOwner(body) };
}

/** Absent leaves the stored one: clients that know of no owners write objects without. */
function decodeOwner(body: RestBody): Owner | null | undefined {
  const owner = body.object("owner", ["resource_group", "kind", "name", "uid"]);
  if (!owner) return owner;
  return { resourceGroup: owner.resource_group, kind: owner.kind, name: owner.name, uid: owner.uid };
}

/** What is absent is removed. */
function decodeMetadata(body: RestBody): MetadataInput {
  return {
    shardId: body.string("shard_id"),
    labels: body.stringMap("labels"),
    annotations: body.stringMap("annotations"),
    finalizers: body.strings("finalizers"),
  };
}
