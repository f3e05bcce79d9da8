// Fails when package-lock.json would not install elsewhere: it must name no registry (see .npmrc), and hold every optional
// dependency. npm leaves out those the registry at hand does not serve, and then refuses `npm ci` with "out of sync".
import { readFileSync } from "node:fs";

const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
const entries = Object.entries(packages);
const problems = entries.flatMap(([path, { resolved, optionalDependencies = {} }]) => [
  ...(resolved === undefined ? [] : [`${path} names an address: ${resolved}`]),
  ...Object.keys(optionalDependencies)
    .filter((name) => !entries.some(([other]) => other.endsWith(`node_modules/${name}`)))
    .map((name) => `${path} has an optional dependency without an entry: ${name}`),
]);
for (const problem of problems) console.log(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
