import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { ErrorDetailSchema } from "../../gen/reconcile/v1/error_pb.js";
import { ApiError, isOutcomeUnknown } from "../../src/client/index.js";

/** An error that a server sent: it has headers, and the server's own have a reason. */
function answered(code: Code, reason?: string): ConnectError {
  const detail =
    reason === undefined ? [] : [{ desc: ErrorDetailSchema, value: create(ErrorDetailSchema, { reason }) }];
  return new ConnectError("refused", code, { "content-type": "application/json" }, detail);
}

it.each([
  ["the server refuses: the database is away", answered(Code.Unavailable, "STORE_UNAVAILABLE"), false],
  ["the server refuses: another revision", answered(Code.Aborted, "REVISION_CONFLICT"), false],
  ["the server refuses: overloaded", answered(Code.ResourceExhausted, "OVERLOADED"), false],
  ["a proxy answers 503", answered(Code.Unavailable), true],
  ["the connection breaks", new ConnectError("read ECONNRESET", Code.Aborted), true],
  ["the first call broke off", answered(Code.Unavailable, "NO_SERVER"), true],
  ["the first call was late, and the client gave up", answered(Code.FailedPrecondition, "NO_SERVER"), true],
  ["a proxy answered the first call", answered(Code.FailedPrecondition, "WRONG_SERVER"), true],
  ["the server refuses: the owner is gone", answered(Code.FailedPrecondition, "OWNER_NOT_FOUND"), false],
  ["the server does not know", answered(Code.DeadlineExceeded, "STORE_UNAVAILABLE"), true],
  ["the call's own deadline passes", new ConnectError("deadline", Code.DeadlineExceeded), true],
  ["the server has a bug", answered(Code.Internal), true],
])("tells whether a write that failed may be stored all the same: %s", (_, error, isUnknown) => {
  expect(isOutcomeUnknown(ApiError.from(error))).toBe(isUnknown);
});
