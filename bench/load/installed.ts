import { existsSync } from "node:fs";
import { join } from "node:path";

/** The Debian packages of the programs that the bench uses when they are there. */
const PACKAGES = {
  wrk: "wrk",
  h2load: "nghttp2-client",
  etcd: "etcd-server",
  "redis-benchmark": "redis-tools",
} as const;

export type OptionalProgram = keyof typeof PACKAGES;

export function isInstalled(program: OptionalProgram): boolean {
  return (process.env.PATH ?? "").split(":").some((place) => existsSync(join(place, program)));
}

/** Why a peer is left out, and how to have it next time. */
export function missingText(program: OptionalProgram): string {
  return `no ${program} on PATH (Debian, Ubuntu: apt-get install ${PACKAGES[program]})`;
}
