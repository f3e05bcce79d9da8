import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { isClientGone } from "../../../src/state-manager/api/client-gone.js";
import { type EdgeRoutes, httpEdge } from "../../../src/state-manager/api/http-edge.js";
import { OriginGuard } from "../../../src/state-manager/api/origin-guard.js";

function nodeError(code: string): Error {
  return Object.assign(new Error(`write ${code}`), { code });
}

describe("whether the client left", () => {
  test.each([
    "EPIPE",
    "ECONNRESET",
    "ECONNABORTED",
    "ERR_STREAM_PREMATURE_CLOSE",
    "ERR_STREAM_DESTROYED",
    "ERR_STREAM_WRITE_AFTER_END",
    "ERR_HTTP2_INVALID_STREAM",
    "ERR_HTTP2_STREAM_CANCEL",
    "ERR_HTTP2_STREAM_ERROR",
    "ERR_HTTP2_SESSION_ERROR",
    "ERR_HTTP2_GOAWAY_SESSION",
  ])("%s says so, also as the cause of an error of Connect", (code) => {
    expect(isClientGone(nodeError(code))).toBe(true);
    const wrapped = new ConnectError("internal", Code.Internal, undefined, undefined, nodeError(code));
    expect(isClientGone(wrapped)).toBe(true);
  });

  test("so does an abort, and nothing else", () => {
    expect(isClientGone(AbortSignal.abort().reason)).toBe(true);
    for (const error of [
      nodeError("ENOENT"),
      new Error("bug"),
      new ConnectError("x", Code.Internal),
      undefined,
      "EPIPE",
    ]) {
      expect(isClientGone(error)).toBe(false);
    }
    const loop = new Error("its own cause");
    loop.cause = loop;
    expect(isClientGone(loop)).toBe(false);
  });
});

test("write EPIPE while an answer is written is told apart from what is our fault", async () => {
  const told: unknown[] = [];
  const edge = (error: Error) =>
    new Promise<void>((resolve) => {
      const routes = {
        guard: new OriginGuard("127.0.0.1", []),
        pages: new Map(),
        rpc: () => Promise.reject(error),
        onError: (_error: unknown, isClientGone: boolean) => {
          told.push(isClientGone);
          resolve();
        },
      };
      // REST is not asked for; of the request and the response only this is.
      httpEdge(routes as unknown as EdgeRoutes)(
        { method: "POST", url: "/a.B/C", headers: {} } as never,
        { headersSent: true, end: () => {} } as never,
      );
    });
  await edge(nodeError("EPIPE"));
  await edge(new Error("bug"));
  expect(told).toEqual([true, false]);
});
