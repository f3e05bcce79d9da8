import { duplicateKey } from "../../resource/json-keys.js";
import type { UpgradeCheck } from "./predict-refusals.js";

/** Older servers took a spec and a status with one key twice in one object; readers take the last of the two. */
export const DUPLICATE_KEYS: UpgradeCheck = {
  what: "a key that is given twice in one object",
  remedy:
    'write each again: "reconcile get KIND NAME -o yaml | reconcile apply -f -" keeps the last of both; the next pass replaces a status',
  find: ({ specJson, statusJson }) => {
    const path = duplicateKey("spec", specJson) ?? duplicateKey("status", statusJson);
    return path === undefined ? undefined : `${path} is there twice`;
  },
};
