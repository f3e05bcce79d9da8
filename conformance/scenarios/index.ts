import type { Scenario } from "../stage.js";
import { drainingScenarios } from "./draining.js";
import { leasingScenarios } from "./leasing.js";
import { renewingScenarios } from "./renewing.js";
import { reportingScenarios } from "./reporting.js";
import { sessionScenarios } from "./sessions.js";

/** Every promise, in the order of `--list`. */
export const scenarios: readonly Scenario[] = [
  ...sessionScenarios,
  ...leasingScenarios,
  ...renewingScenarios,
  ...reportingScenarios,
  ...drainingScenarios,
];
