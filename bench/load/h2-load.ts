import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import type { Figures } from "../compare.js";
import { Latencies } from "../latencies.js";
import { loadFile } from "./load-file.js";

/** One POST over HTTP/2, sent again and again. */
export interface H2Request {
  /** With its path. */
  readonly url: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** As `saturate` does for HTTP/1.1, with `h2load`: each connection has one request in flight. */
export async function saturateH2(request: H2Request, connections: number, seconds: number): Promise<Figures> {
  const bodyFile = loadFile("body");
  writeFileSync(bodyFile, request.body);
  const logFile = loadFile("log");
  const load = [
    `--log-file=${logFile}`,
    "-t",
    "1",
    "-c",
    String(connections),
    "-m",
    "1",
    "-D",
    String(Math.ceil(seconds)),
  ];
  const headers = ["-H", `content-type: ${request.contentType}`, "-H", "te: trailers"];
  const { stdout } = await promisify(execFile)("h2load", [...load, ...headers, "-d", bodyFile, request.url]);
  const [, rate] = /finished in .*?, ([\d.]+) req\/s/.exec(stdout) ?? [];
  const [, failed, errored] = /(\d+) failed, (\d+) errored/.exec(stdout) ?? [];
  if (rate === undefined || failed !== "0" || errored !== "0") throw new Error(`h2load ${request.url}: ${stdout}`);
  const latencies = new Latencies();
  for (const line of readFileSync(logFile, "utf8").trim().split("\n"))
    latencies.record(Number(line.split("\t")[2]) / 1000);
  return { "requests/s": Number(rate), ...latencies.figures() };
}

/** A message as gRPC sends it: not compressed, its length before it. */
export function grpcFrame(message: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}
