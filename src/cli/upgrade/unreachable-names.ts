import type { UpgradeCheck } from "./predict-refusals.js";

/** `.` and `..` as a part of a key: URLs cannot carry them, so they are not created any more. */
export const UNREACHABLE_NAMES: UpgradeCheck = {
  what: '"." and ".." in keys, which are refused when a resource is created',
  remedy: "move each to another name before it has to be created again",
  find: ({ key: { resourceGroup, kind, namespace, name } }) => {
    const parts = { group: resourceGroup, kind, namespace, name };
    const found = Object.entries(parts).find(([, part]) => part === "." || part === "..");
    return found && `its ${found[0]} is "${found[1]}"`;
  },
};
