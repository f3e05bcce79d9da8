import type { ResourceInput } from "./command.js";
import { DomainError, invalidField } from "./errors.js";
import { describeKey, keyId } from "./key.js";
import { APPLY_MAX_RESOURCES } from "./limits.js";
import { validateInput } from "./validate.js";

/** Throws INVALID_ARGUMENT unless there are 1 to `APPLY_MAX_RESOURCES` resources. */
export function checkCount(count: number): void {
  if (count === 0) throw invalidField("resources", "must have at least one entry");
  if (count <= APPLY_MAX_RESOURCES) return;
  throw invalidField(
    "resources",
    `must have at most ${APPLY_MAX_RESOURCES} entries (got ${count}); make several calls`,
  );
}

/** Checks one of the inputs of an ApplyResources. Throws like `validateInput`, naming the place. */
export function validateInputAt(index: number, input: ResourceInput): void {
  try {
    validateInput(input);
  } catch (error) {
    throw errorAt(index, error);
  }
}

/** Throws INVALID_ARGUMENT naming both places of a key that is given twice: one of the two would be lost. */
export function checkDistinct(inputs: readonly ResourceInput[]): void {
  const places = new Map<string, number>();
  for (const [index, { key }] of inputs.entries()) {
    const id = keyId(key);
    const first = places.get(id);
    if (first !== undefined) {
      const text = `must not be the key of resources[${first}] too (got ${describeKey(key)} twice); remove one`;
      throw invalidField(`resources[${index}].key`, text);
    }
    places.set(id, index);
  }
}

/** What went wrong with the resource at `index` of an ApplyResources, in the words of the error and with the place before them. */
export function errorAt(index: number, error: unknown): unknown {
  if (!(error instanceof DomainError)) return error;
  const place = `resources[${index}]`;
  const { code, reason, field, message } = error;
  if (field === "" || !message.startsWith(field)) {
    return new DomainError(code, reason, `${place}: ${message}`, { field: field && `${place}.${field}`, cause: error });
  }
  // The resource as a whole is the place itself.
  const path = field === "resource" ? place : `${place}.${KEY_PARTS.has(field) ? `key.${field}` : field}`;
  return new DomainError(code, reason, path + message.slice(field.length), { field: path, cause: error });
}

/** Checked by their own names: on a call about one resource there is nothing to confuse them with. */
const KEY_PARTS = new Set(["resource_group", "kind", "namespace", "name"]);
