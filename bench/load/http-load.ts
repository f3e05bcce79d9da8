import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { promisify } from "node:util";
import type { Figures } from "../compare.js";
import { isInstalled } from "./installed.js";
import { loadFile } from "./load-file.js";
import { closedLoop } from "./node-load.js";

/** Requests that differ by a number: in `path` and `body` each `{n}` counts up from 0, each `{key}` does so modulo `keys`. */
export interface HttpRequests {
  /** Of the server, without a path. */
  readonly url: string;
  readonly method: "GET" | "POST" | "PUT";
  readonly path: string;
  readonly body?: string;
  readonly keys?: number;
}

/**
 * As many requests as `connections` can carry, each sending its next when the last is answered. The generator is `wrk` when it
 * is installed: one of Node takes as much of the machine as a server does.
 */
export async function saturate(requests: HttpRequests, connections: number, seconds: number): Promise<Figures> {
  if (!isInstalled("wrk")) return closedLoop(requests, connections, seconds);
  const { url, method, path, body, keys = 1 } = requests;
  const bodyFile = loadFile("body");
  writeFileSync(bodyFile, body ?? "");
  const options = ["-t", "1", "-c", String(connections), "-d", `${Math.ceil(seconds)}s`, "-s", "bench/load/wrk.lua"];
  const { stdout } = await promisify(execFile)("wrk", [...options, url, "--", method, path, bodyFile, String(keys)]);
  const result: { requests: number; microseconds: number; failures: number; p50: number; p99: number } = JSON.parse(
    stdout.slice(stdout.lastIndexOf("\n{")),
  );
  if (result.failures > 0) throw new Error(`${result.failures} of ${result.requests} ${method} ${path} failed`);
  return {
    "requests/s": (result.requests / result.microseconds) * 1e6,
    "ms p50": result.p50 / 1000,
    "ms p99": result.p99 / 1000,
  };
}
