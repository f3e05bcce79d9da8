/**
 * Reads the address of a state-manager: `http://` or `https://`, a host, perhaps a port, perhaps the path under which a proxy has it.
 * What is in it besides would be lost on the way to the calls. Throws what is wrong and how to write it.
 */
export function readServerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new Error(`the server must be an address such as http://127.0.0.1:8080 (got ${text})`);
  }
  const { origin, pathname } = url;
  const plain = `${origin}${pathname}`.replace(/\/+$/, "");
  // Not href: a lone "?" or "#" at the end is harmless, and `search` does not have it.
  const part = url.username || url.password ? "a user" : url.search ? "a query" : url.hash ? "a fragment" : undefined;
  if (part !== undefined) throw new Error(`the server's address must not have ${part} in it; write ${plain}`);
  return new URL(plain);
}
