import { Code } from "@connectrpc/connect";
import { isClientGone } from "./client-gone.js";
import { dashboardPage } from "./dashboard.js";
import type { AnyRequest, AnyResponse } from "./http-exchange.js";
import type { OriginGuard } from "./origin-guard.js";
import { type Refusal, refuse } from "./refusal.js";
import type { RestApi } from "./rest-api.js";

/** Answers one path with GET, for example `/metrics`. */
export type Page = (response: AnyResponse, request: AnyRequest) => void | Promise<void>;

/** Where requests go. */
export interface EdgeRoutes {
  readonly guard: OriginGuard;
  readonly rest: RestApi;
  /** By exact path. */
  readonly pages: ReadonlyMap<string, Page>;
  /** Connect, gRPC and gRPC-Web; answers what it does not know with 404. */
  readonly rpc: (request: AnyRequest, response: AnyResponse, path: string) => Promise<void>;
  /** Told of what could not be served. `isClientGone`: nobody is left to read an answer. */
  readonly onError: (error: unknown, isClientGone: boolean) => void;
}

/** The first function every request reaches, of either HTTP version: checks where it comes from, then who answers it. */
export function httpEdge(routes: EdgeRoutes): (request: AnyRequest, response: AnyResponse) => void {
  return (request, response) => {
    dispatch(routes, request, response).catch((error: unknown) => {
      routes.onError(error, isClientGone(error));
      if (response.headersSent) response.end();
      else refuse(request, response, pathOf(request), INTERNAL);
    });
  };
}

async function dispatch(routes: EdgeRoutes, request: AnyRequest, response: AnyResponse): Promise<void> {
  const { guard, rest, pages, rpc } = routes;
  const path = admit(guard, request, response);
  if (path === undefined) return;
  const cors = guard.corsHeaders(request);
  if (cors !== undefined) for (const [name, value] of Object.entries(cors)) response.setHeader(name, value ?? "");
  if (request.method === "OPTIONS") {
    response.writeHead(204);
    response.end();
    return;
  }
  if (path.startsWith("/api/")) {
    await rest.serve(request, response, path, (request.url ?? "/").slice(path.length + 1));
    return;
  }
  const page = pages.get(path) ?? dashboardPage(path);
  if (page === undefined) {
    await rpc(request, response, path);
  } else if (request.method === "GET" || request.method === "HEAD") {
    await page(response, request);
  } else {
    response.setHeader("allow", "GET, HEAD, OPTIONS");
    const text = `${request.method} is not supported on ${path}; use GET`;
    refuse(request, response, path, { status: 405, code: Code.Unimplemented, reason: "NO_SUCH_METHOD", message: text });
  }
}

/** The path that is asked for; undefined when the request comes from where it must not, and has been refused. */
export function admit(guard: OriginGuard, request: AnyRequest, response: AnyResponse): string | undefined {
  toOriginForm(request);
  const path = pathOf(request);
  const foreign = guard.refusal(request);
  if (foreign === undefined) return path;
  const { reason, message } = foreign;
  refuse(request, response, path, { status: 403, code: Code.PermissionDenied, reason, message });
  return undefined;
}

const INTERNAL: Refusal = { status: 500, code: Code.Internal, reason: "INTERNAL", message: "internal error" };

/** The URL without its query. */
function pathOf({ url = "/" }: AnyRequest): string {
  const queryAt = url.indexOf("?");
  return queryAt === -1 ? url : url.slice(0, queryAt);
}

/**
 * Rewrites `GET http://host/path`, which clients of proxies send and every server must accept (RFC 9112 §3.2.2): its
 * authority stands for the Host header, which is then to be ignored.
 */
function toOriginForm(request: AnyRequest): void {
  if (request.url?.startsWith("/")) return;
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(request.url ?? "");
  if (absolute === null || request.httpVersionMajor !== 1) return;
  const [, authority, target = ""] = absolute;
  request.headers.host = authority;
  request.url = target.startsWith("/") ? target : `/${target}`;
}
