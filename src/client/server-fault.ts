/** Why no state-manager answers at an address. */
export interface ServerFault {
  /** NO_SERVER may pass: a server that is not up yet. WRONG_SERVER does not: the address is wrong, or what is in front of the server. */
  readonly reason: "NO_SERVER" | "WRONG_SERVER";
  /** The address, what was found there, and what to do. */
  readonly message: string;
}

/** The address for people, without a slash at its end. */
export function addressOf({ protocol, host, pathname }: URL, scheme = protocol): string {
  return `${scheme}//${host}${pathname}`.replace(/\/+$/, "");
}

/** No server answers. `where`: at which address, and what is known about it. */
export function noServer(where: string): ServerFault {
  return { reason: "NO_SERVER", message: `no server answers at ${where}` };
}

/** Something else than a state-manager that this client can speak to. */
export function wrongServer(message: string): ServerFault {
  return { reason: "WRONG_SERVER", message };
}

/** What the error of a connection that was never made says by itself; undefined when one has to look. */
export function connectFault(url: URL, error: unknown): ServerFault | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    const code = "code" in each ? each.code : undefined;
    if (code === "ECONNREFUSED") return noServer(`${addressOf(url)} (${code})`);
    if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
      return noServer(`${addressOf(url)}: its host name is not known (${code})`);
    }
  }
  return undefined;
}
