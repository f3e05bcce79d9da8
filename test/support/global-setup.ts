/** Once per test run: builds `dist/` for the tests that start real processes, and starts the shared PostgreSQL. */
import { execFileSync } from "node:child_process";
import { createTemplate, sharedPostgresVariable, startPostgres } from "./postgres.js";

export default async function setup(): Promise<() => Promise<void>> {
  execFileSync(process.execPath, ["scripts/build.mjs", "--if-stale", "--no-check"], { stdio: "inherit" });
  const cluster = await startPostgres();
  await createTemplate(cluster.url);
  process.env[sharedPostgresVariable] = cluster.url;
  return () => cluster.remove();
}
