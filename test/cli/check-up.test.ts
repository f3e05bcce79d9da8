import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkUp, type Symptoms } from "../../src/cli/check-up.js";
import type { ClientKind, ClientServerStatus } from "../../src/client/index.js";
import { newestMigration } from "../../src/state-manager/store/migrate.js";

const NOW = new Date("2026-01-01T12:00:00Z");

const WELL: ClientServerStatus = {
  version: "1.0.0",
  serverTime: NOW,
  startedAt: new Date("2026-01-01T11:00:00Z"),
  storeId: "s",
  programSchema: 4,
  storeSchema: 4,
  postgres: { state: "OK", message: "", version: "18.4", roundTripMs: 0.5 },
  postgresTime: NOW,
  redis: { state: "DISABLED", message: "", version: "", roundTripMs: undefined },
  compatStreams: { state: "DISABLED", message: "", version: "", roundTripMs: undefined },
  clockStep: undefined,
  logs: [],
};

const IDLE: ClientKind = {
  ...{ resourceGroup: "demo", kind: "thing", resources: 3, pending: 3, notReady: 0, failing: 0, quarantined: 2 },
  ...{ due: 3, leased: 0, oldestDueAt: NOW, reconciler: "", sessions: 0 },
};

function findings(status: Partial<ClientServerStatus>, others: Partial<Symptoms> = {}) {
  const symptoms = {
    server: "http://s",
    status: { ...WELL, ...status },
    kinds: [],
    now: NOW,
    clientVersion: "1.0.0",
    ...others,
  };
  return checkUp(symptoms)
    .filter(({ level }) => level !== "ok")
    .map(({ level, text }) => `${level} ${text}`);
}

it("is shown in the manual with the schema of this version", () => {
  expect(readFileSync("docs/cli.md", "utf8")).toContain(`\nok    schema ${newestMigration()}, the newest\n`);
});

describe("checkUp", () => {
  it("finds nothing where all is well", () => {
    expect(findings({})).toEqual([]);
  });

  it.each<[string, Partial<ClientServerStatus>]>([
    [
      "FAIL PostgreSQL: start it",
      { postgres: { state: "FAILING", message: "start it", version: "", roundTripMs: undefined } },
    ],
    ["FAIL Redis: start it", { redis: { state: "FAILING", message: "start it", version: "", roundTripMs: undefined } }],
    [
      "FAIL the streams of existing operators: delete the key",
      { compatStreams: { state: "FAILING", message: "delete the key", version: "", roundTripMs: undefined } },
    ],
    ["FAIL schema 3, but the server needs 4: restart it, it migrates when it starts", { storeSchema: 3 }],
    ["note schema 5 is newer than the server's 4: a newer server has migrated it; update this one", { storeSchema: 5 }],
    [
      "note PostgreSQL's clock was set back by 7200 s, seen at 2026-01-01T12:00:00.000Z: due times written before",
      { clockStep: { seenAt: NOW, byMs: -7_200_000 } },
    ],
    ["note PostgreSQL's clock jumped ahead by 90 s", { clockStep: { seenAt: NOW, byMs: 90_000 } }],
    ["note PostgreSQL's clock is 1m apart from the server's", { postgresTime: new Date(NOW.getTime() + 60_000) }],
  ])("%s", (text, status) => {
    expect(findings(status)).toEqual([expect.stringContaining(text)]);
  });

  it("notes a clock of this machine that is off, another version, and kinds that nobody takes care of", () => {
    const others = { now: new Date(NOW.getTime() - 60_000), clientVersion: "0.9.0", kinds: [IDLE] };
    expect(findings({}, others)).toEqual([
      "note this program is 0.9.0: use the server's version of it",
      expect.stringContaining("note this machine's clock is 1m apart"),
      "note demo/thing: 3 pending and no reconciler is running for it: start one",
      'note demo/thing: 2 quarantined; "reconcile work --state QUARANTINED" shows them',
    ]);
  });
});
