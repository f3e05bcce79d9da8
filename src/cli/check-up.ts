import type { ClientDependency, ClientKind, ClientServerStatus } from "../client/index.js";
import { showAge } from "./printers/duration.js";

/** One thing that was looked at. */
export interface Finding {
  /** A note is worth knowing; only FAIL keeps something from working. */
  readonly level: "ok" | "note" | "FAIL";
  readonly text: string;
}

/** What a check-up looks at. */
export interface Symptoms {
  readonly server: string;
  readonly status: ClientServerStatus;
  readonly kinds: readonly ClientKind[];
  /** This machine's clock when the server looked at its own. */
  readonly now: Date;
  readonly clientVersion: string;
}

/** Leases are decided on the database's clock; further apart than this, times that people compare mislead. */
const CLOCK_TOLERANCE_MS = 2_000;

/** Looks at everything the server says of itself. */
export function checkUp({ server, status, kinds, now, clientVersion }: Symptoms): readonly Finding[] {
  return [
    ok(`server ${status.version} at ${server}, up for ${showAge(status.startedAt, status.serverTime)}`),
    ...(status.version === clientVersion
      ? []
      : [note(`this program is ${clientVersion}: use the server's version of it`)]),
    dependency("PostgreSQL", status.postgres),
    dependency("Redis", status.redis),
    ...compatStreams(status.compatStreams),
    migrations(status),
    clock("this machine's clock", now, status.serverTime),
    ...(status.postgresTime === undefined ? [] : [clock("PostgreSQL's clock", status.postgresTime, status.serverTime)]),
    ...(status.clockStep === undefined ? [] : [clockStep(status.clockStep)]),
    ...kinds.flatMap(kindFindings),
  ];
}

function dependency(name: string, { state, message, version, roundTripMs }: ClientDependency): Finding {
  switch (state) {
    case "OK":
      return ok(`${name} ${version}, answers in ${roundTripMs?.toFixed(1) ?? "?"} ms`);
    case "DISABLED":
      return ok(`${name} is not configured; the server does without`);
    case "FAILING":
    case "UNSPECIFIED":
      return fail(`${name}: ${message || "the server does not say how it is"}`);
  }
}

/** Most stores do without, and an older server does not tell. */
function compatStreams({ state, message }: ClientDependency): readonly Finding[] {
  switch (state) {
    case "OK":
      return [ok("the streams of existing operators are written")];
    case "FAILING":
      return [fail(`the streams of existing operators: ${message}`)];
    case "DISABLED":
    case "UNSPECIFIED":
      return [];
  }
}

function migrations({ programSchema, storeSchema }: ClientServerStatus): Finding {
  if (storeSchema === programSchema) return ok(`schema ${storeSchema}, the newest`);
  if (storeSchema === 0) return note("schema unknown while PostgreSQL does not answer");
  return storeSchema < programSchema
    ? fail(`schema ${storeSchema}, but the server needs ${programSchema}: restart it, it migrates when it starts`)
    : note(
        `schema ${storeSchema} is newer than the server's ${programSchema}: a newer server has migrated it; update this one`,
      );
}

function clock(name: string, time: Date, serverTime: Date): Finding {
  const apartMs = Math.abs(time.getTime() - serverTime.getTime());
  if (apartMs <= CLOCK_TOLERANCE_MS) return ok(`${name} agrees with the server's`);
  return note(
    `${name} is ${showAge(time, serverTime)} apart from the server's: set both by NTP; ages and due times mislead until then`,
  );
}

function clockStep({ seenAt, byMs }: NonNullable<ClientServerStatus["clockStep"]>): Finding {
  const at = seenAt.toISOString();
  const seconds = `${Math.round(Math.abs(byMs) / 1_000)} s`;
  return byMs < 0
    ? note(
        `PostgreSQL's clock was set back by ${seconds}, seen at ${at}: due times written before were moved with it; let NTP slew clocks, not set them`,
      )
    : note(
        `PostgreSQL's clock jumped ahead by ${seconds}, seen at ${at} (or the server's machine slept): sessions and leases may have ended early`,
      );
}

function kindFindings({ resourceGroup, kind, pending, quarantined, reconciler }: ClientKind): readonly Finding[] {
  const name = `${resourceGroup}/${kind}`;
  return [
    ...(pending > 0 && reconciler === ""
      ? [note(`${name}: ${pending} pending and no reconciler is running for it: start one`)]
      : []),
    ...(quarantined > 0
      ? [note(`${name}: ${quarantined} quarantined; "reconcile work --state QUARANTINED" shows them`)]
      : []),
  ];
}

function ok(text: string): Finding {
  return { level: "ok", text };
}

function note(text: string): Finding {
  return { level: "note", text };
}

function fail(text: string): Finding {
  return { level: "FAIL", text };
}
