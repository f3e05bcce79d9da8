import type { Http2Server, ServerHttp2Session } from "node:http2";

/**
 * Pings every HTTP/2 connection and drops the ones that do not answer.
 *
 * Neither Node nor Connect does it, and without it a client that vanished without a FIN (a paused laptop, a dead NAT entry)
 * keeps its watches and its `Attach` stream, and so its leases, until TCP gives up.
 */
export function dropDeadPeers(server: Http2Server, intervalMs: number, timeoutMs: number): void {
  server.on("session", (session: ServerHttp2Session) => {
    let overdue: NodeJS.Timeout | undefined;
    const answered = () => {
      clearTimeout(overdue);
      overdue = undefined;
    };
    const timer = setInterval(() => {
      if (session.closed || session.destroyed || overdue !== undefined) return;
      overdue = setTimeout(() => session.destroy(), timeoutMs).unref();
      // Refused when too many pings wait for an answer already, or the session is on its way down.
      if (!session.ping(answered)) answered();
    }, intervalMs).unref();
    session.once("close", () => {
      clearInterval(timer);
      answered();
    });
  });
}
