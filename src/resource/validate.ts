import type { Command, MetadataInput, Precondition, ResourceInput } from "./command.js";
import { invalidField } from "./errors.js";
import { checkJsonText } from "./json-text.js";
import type { ResourceKey } from "./key.js";
import { checkFits, KEY_MAX_BYTES } from "./limits.js";
import { checkAnnotation, checkFinalizers, checkLabel, checkName, checkPathSegment, checkText } from "./names.js";
import type { Owner } from "./owner.js";
import { quote } from "./quote.js";
import type { ResourceFilter } from "./resource-filter.js";

/**
 * Checks the desired state before any lock is taken. Throws INVALID_ARGUMENT whose text starts with the path of the field.
 *
 * As in all checks here, the words are the same on every protocol, and nothing is corrected: stored is what was sent, or
 * nothing. What is required is checked first, as docs/rest-api.md promises.
 */
export function validateInput(input: ResourceInput): void {
  validateKey(input.key);
  checkName("shard_id", input.shardId);
  checkFits({ statusJson: null, ...input });
  checkMetadata(input);
  if (input.owner) checkOwner(input.owner, input.key);
  if (input.specJson !== null) checkJsonText("spec", input.specJson);
}

/** Checks the four parts of a key. */
export function validateKey(key: ResourceKey): void {
  checkName("resource_group", key.resourceGroup);
  checkName("kind", key.kind);
  checkName("namespace", key.namespace);
  checkName("name", key.name);
}

/** Checks what only the key of a resource that is created must be: those of older servers may be others. */
export function checkNewKey(key: ResourceKey): void {
  checkPathSegment("resource_group", key.resourceGroup);
  checkPathSegment("kind", key.kind);
  checkPathSegment("namespace", key.namespace);
  checkPathSegment("name", key.name);
  checkKeySize(key);
}

/** Four names of 255 characters that take three or four bytes each do not fit an index. */
function checkKeySize({ resourceGroup, kind, namespace, name }: ResourceKey): void {
  const text = resourceGroup + kind + namespace + name;
  // At most three bytes each, so it is seldom counted.
  if (text.length * 3 <= KEY_MAX_BYTES) return;
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= KEY_MAX_BYTES) return;
  throw invalidField(
    "name",
    `must be shorter: resource_group, kind, namespace and name take ${bytes} bytes of UTF-8 together, the limit is ${KEY_MAX_BYTES}`,
  );
}

/** What a status write asks for. */
export type StatusWrite = Omit<Extract<Command, { readonly type: "update-status" }>, "type">;

/** Checks a status write alone; whether it fits the stored resource is decided under its lock. */
export function validateStatusWrite({ key, metadata, observedGeneration, statusJson }: StatusWrite): void {
  validateKey(key);
  if (metadata !== undefined) checkName("shard_id", metadata.shardId);
  checkFits({ key, specJson: null, statusJson, ...(metadata ?? NO_METADATA) });
  if (metadata !== undefined) checkMetadata(metadata);
  checkGeneration("observed_generation", observedGeneration);
  if (statusJson !== null) checkJsonText("status", statusJson);
}

/** Checks a precondition: a wrong number is a conflict, but the conflict's text repeats the uid. */
export function validatePrecondition(expected: Precondition): void {
  if (expected.uid !== undefined) checkName("expected_uid", expected.uid);
}

/** Checks the texts of a filter: PostgreSQL refuses NUL even in a comparison. One that is too long just matches nothing. */
export function validateFilter(filter: ResourceFilter): void {
  checkText("resource_group", filter.resourceGroup ?? "");
  checkText("kind", filter.kind ?? "");
  checkText("namespace", filter.namespace ?? "");
  checkText("name", filter.name ?? "");
  checkText("shard_id", filter.shardId ?? "");
  if (filter.ownerUid !== undefined) checkUid("owner_uid", filter.ownerUid);
}

/** Characters of the reason given for forcing a finalizer off: it stands in the resource from then on. */
const FORCE_MESSAGE_MAX_CHARACTERS = 1_024;

/** Checks what is to be forced off and why; whether the resource has it is decided under its lock. */
export function validateForce(key: ResourceKey, finalizer: string, message: string): void {
  validateKey(key);
  checkName("finalizer", finalizer);
  if (message === "") throw invalidField("message", "must say who forces the finalizer off, and why; it is recorded");
  checkText("message", message);
  if ([...message].length > FORCE_MESSAGE_MAX_CHARACTERS) {
    throw invalidField("message", `must be at most ${FORCE_MESSAGE_MAX_CHARACTERS} characters long; shorten it`);
  }
}

/** Throws INVALID_ARGUMENT for a negative generation; undefined stands for "not said". */
export function checkGeneration(field: string, generation: bigint | undefined): void {
  if (generation === undefined || generation >= 0n) return;
  throw invalidField(field, `must not be negative (got ${generation})`);
}

function checkMetadata({ labels, annotations, finalizers }: MetadataInput): void {
  for (const [key, value] of labels) checkLabel(key, value);
  for (const [key, value] of annotations) checkAnnotation(key, value);
  checkFinalizers("finalizers", finalizers);
}

function checkOwner(owner: Owner, child: ResourceKey): void {
  checkName("owner.resource_group", owner.resourceGroup);
  checkName("owner.kind", owner.kind);
  checkName("owner.name", owner.name);
  if (owner.uid !== "") checkUid("owner.uid", owner.uid);
  if (owner.resourceGroup === child.resourceGroup && owner.kind === child.kind && owner.name === child.name) {
    throw invalidField("owner", "must not be the resource itself; name another one, or none");
  }
}

/** PostgreSQL reads other spellings of a uid too, but events are compared as text. */
function checkUid(field: string, uid: string): void {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uid)) return;
  throw invalidField(field, `must be a uid as the server writes it, in lower case with dashes (got ${quote(uid)})`);
}

const NO_METADATA: MetadataInput = { shardId: "", labels: new Map(), annotations: new Map(), finalizers: [] };
