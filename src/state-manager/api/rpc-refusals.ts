import { Code } from "@connectrpc/connect";
import type { AnyRequest } from "./http-exchange.js";
import type { Refusal } from "./refusal.js";

/** Connect cannot build a URL of the request. */
export const MALFORMED_URL: Refusal = {
  status: 400,
  code: Code.InvalidArgument,
  reason: "MALFORMED_URL",
  message: "the request must name a valid host and path",
};

/** No page and no RPC. */
export function unknownPath(path: string): Refusal {
  const message = `there is no path ${path}; see /openapi.json, or the services that gRPC reflection lists`;
  return { status: 404, code: Code.Unimplemented, reason: "NO_SUCH_PATH", message };
}

/** There is such an RPC, but a request of this form is refused by Connect with a status alone. */
export function unsuitableRequest(
  status: number,
  { method, headers }: AnyRequest,
  path: string,
  allowed: string,
): Refusal {
  switch (status) {
    case 405: {
      const message = `${method} is not supported on ${path}; use ${allowed.replace(", ", " or ")}`;
      return { status, code: Code.Unimplemented, reason: "NO_SUCH_METHOD", message };
    }
    case 415: {
      const sent = JSON.stringify(headers["content-type"] ?? "");
      const message = `content type ${sent} is not supported on ${path}; use application/json or application/proto, or a gRPC client`;
      return { status, code: Code.InvalidArgument, reason: "UNSUPPORTED_CONTENT_TYPE", message };
    }
    case 505: {
      const message = `${path} streams in both directions, which needs HTTP/2`;
      return { status, code: Code.Unimplemented, reason: "UNSUPPORTED_HTTP_VERSION", message };
    }
    default:
      return { status, code: Code.Unknown, reason: "REFUSED", message: `refused with HTTP status ${status}` };
  }
}
