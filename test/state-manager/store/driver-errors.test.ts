import pg from "pg";
import { describe, expect, test } from "vitest";
import { DomainError } from "../../../src/resource/errors.js";
import {
  connectError,
  isCutOff,
  isOutOfRoom,
  isRetryable,
  openError,
  translateDriverError,
  wordsOf,
} from "../../../src/state-manager/store/driver-errors.js";
import { UnfitDatabaseError } from "../../../src/state-manager/store/unfit-database.js";

function fromServer(code: string, routine?: string): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError("said by PostgreSQL", 1, "error"), { code, routine });
}

describe("an error of PostgreSQL", () => {
  test.each([
    ["53100", /^the disk of the database is full; retry/],
    ["53200", /out of memory; retry/],
    ["53300", /no more connections; retry/],
    ["53400", /out of resources/],
    ["58030", /cannot use its files; retry/],
    ["58P01", /cannot use its files; retry/],
    ["25006", /^the database is read-only/],
    ["25P03", /took too long/],
    ["25P04", /took too long/],
    ["57014", /took too long/],
    ["57P01", /not reachable/],
    ["57P03", /not reachable/],
    ["57P05", /not reachable/],
    ["08006", /not reachable/],
    ["40001", /collided with others/],
    ["40P01", /collided with others/],
    ["55P03", /a lock that is held/],
    ["55006", /busy/],
    ["28P01", /refuses this server's login/],
    ["3D000", /does not exist any more/],
    ["42501", /lacks a right/],
    ["26000", /transaction pooler/],
    ["42P05", /transaction pooler/],
  ])("%s may pass and is UNAVAILABLE", (code, message) => {
    const cause = fromServer(code);
    expect(translateDriverError(cause)).toMatchObject({
      code: "UNAVAILABLE",
      reason: "STORE_UNAVAILABLE",
      message,
      cause,
    });
  });

  test.each([
    "22P02",
    "22021",
    "23505",
    "23514",
    "25P01",
    "25P02",
    "42601",
    "42P01",
    "54000",
    "0A000",
    "XX000",
    "XX001",
    "P0001",
  ])("%s does not pass by repeating and stays what it is", (code) => {
    const error = fromServer(code);
    expect(translateDriverError(error)).toBe(error);
  });

  test("of a plan that a newer replica's migration outdated is UNAVAILABLE: a new connection makes a new one", () => {
    expect(translateDriverError(fromServer("0A000", "RevalidateCachedQuery"))).toMatchObject({ code: "UNAVAILABLE" });
  });

  test("is still known for what it is when it is UNAVAILABLE", () => {
    expect(isRetryable(translateDriverError(fromServer("40P01")))).toBe(true);
    expect(isCutOff(translateDriverError(fromServer("57014")))).toBe(true);
    expect(isOutOfRoom(translateDriverError(fromServer("53100")))).toBe(true);
    expect(isOutOfRoom(translateDriverError(fromServer("53300")))).toBe(false);
  });
});

test.each([
  Object.assign(new Error("connect ENETUNREACH"), { code: "ENETUNREACH", syscall: "connect" }),
  Object.assign(new Error("getaddrinfo ENOTFOUND db"), { code: "ENOTFOUND", syscall: "getaddrinfo" }),
  new AggregateError([new Error("connect ECONNREFUSED ::1:5432")]),
  Object.assign(new Error("socket disconnected before secure TLS connection was established"), { code: "ECONNRESET" }),
  new Error("Connection terminated unexpectedly"),
  new Error("timeout expired"),
])("a lost connection is UNAVAILABLE, whatever the system calls it: %s", (cause) => {
  expect(translateDriverError(cause)).toMatchObject({ code: "UNAVAILABLE", message: /not reachable/ });
  expect(connectError(cause)).toMatchObject({ code: "UNAVAILABLE" });
});

test("a fault of ours is left alone", () => {
  const fault = new TypeError("a statement cannot take object as a parameter");
  expect(translateDriverError(fault)).toBe(fault);
});

test.each([
  [fromServer("28P01"), /^PostgreSQL refuses the login/],
  [fromServer("3D000"), /create it/],
  [fromServer("42704"), /17 and 18 are supported/],
  [fromServer("08P01"), /a connection pooler cannot be used/],
  [fromServer("42501"), /grant the role that right/],
  [new Error("The server does not support SSL connections"), /^cannot connect \(The server does not support SSL/],
  [Object.assign(new Error("self-signed certificate"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" }), /^cannot connect/],
])("a connection that no waiting brings is refused with one line: %s", (error, message) => {
  expect(connectError(error)).toBeInstanceOf(UnfitDatabaseError);
  expect(connectError(error)).toMatchObject({ message });
  // Later, when it happens to a server that runs.
  expect(translateDriverError(connectError(error))).toMatchObject({ code: "UNAVAILABLE", message });
  expect(openError(translateDriverError(connectError(error)))).toBeInstanceOf(UnfitDatabaseError);
});

test("the words of an error are the driver's, also for several addresses", () => {
  expect(wordsOf(new AggregateError([new Error("connect ECONNREFUSED ::1:5432")]))).toBe(
    "connect ECONNREFUSED ::1:5432",
  );
  expect(wordsOf(new DomainError("UNAVAILABLE", "STORE_UNAVAILABLE", "away", { cause: new Error("reset") }))).toBe(
    "reset",
  );
});
