import { DUPLICATE_KEYS } from "./duplicate-keys.js";
import type { UpgradeCheck } from "./predict-refusals.js";
import { UNREACHABLE_NAMES } from "./unreachable-names.js";

/** What this version refuses and older servers store; each in a file of its own beside this one. */
export const UPGRADE_CHECKS: readonly UpgradeCheck[] = [DUPLICATE_KEYS, UNREACHABLE_NAMES];
