import { isPortFree } from "../../examples/process/port.js";
import { type ClientResource, createResourceClient, type ResourceClient } from "../client/index.js";
import { findCondition, isReady } from "../controlloop/index.js";

const KEY = { resourceGroup: "examples", kind: "website", namespace: "default", name: "hello" };
const FIRST_PORT = 8081;
const PORTS_TRIED = 100;
const READY_TIMEOUT_MS = 6_000;

interface WebsiteSpec {
  readonly html: string;
  readonly port: number;
}

/** Declares one website, so that something real is there to look at. Returns its address, or why there is none yet. */
export async function applySampleWebsite(serverUrl: string): Promise<string> {
  const client = createResourceClient(serverUrl);
  try {
    const existing = await client.get<WebsiteSpec, unknown>(KEY);
    // One of an earlier start stays as it was left. Its own server may still be running, so its port need not be free.
    if (existing === undefined) await declare(client);
    let website = await becomeReady(client);
    if (website !== undefined && !isReady(website)) {
      await declare(client, existing?.spec.html); // its port may belong to another program by now
      website = await becomeReady(client);
    }
    return describe(website);
  } finally {
    client.close();
  }
}

async function declare(client: ResourceClient, html = HTML): Promise<void> {
  for (let port = FIRST_PORT; port < FIRST_PORT + PORTS_TRIED; port++) {
    if (!(await isPortFree(port))) continue;
    await client.apply({ key: KEY, spec: { html, port } });
    return;
  }
  throw new Error(`no free port from ${FIRST_PORT} to ${FIRST_PORT + PORTS_TRIED - 1} for the sample website`);
}

/** Its state when it is Ready, or when it is taking too long. */
async function becomeReady(client: ResourceClient): Promise<ClientResource | undefined> {
  const { resourceGroup, kind, namespace, name } = KEY;
  const signal = AbortSignal.timeout(READY_TIMEOUT_MS);
  const options = { sendInitialState: true, signal };
  let latest: ClientResource | undefined;
  for await (const { events } of client.watch({ resourceGroup, kind, namespace, name }, options)) {
    for (const event of events) if ("resource" in event) latest = event.resource;
    if (latest !== undefined && isReady(latest)) break;
  }
  return latest;
}

function describe(website: ClientResource | undefined): string {
  if (website === undefined) return "deleted";
  const ready = findCondition(website, "Ready");
  const { status } = website;
  const url = typeof status === "object" && status !== null && "url" in status ? String(status.url) : "no address yet";
  return isReady(website) ? url : `${url} (not ready: ${ready?.message ?? "no pass yet"})`;
}

const HTML = `<!doctype html>
<title>hello</title>
<h1>Declared, and therefore here</h1>
<p>A resource of kind <code>website</code> became a <code>file</code> and a <code>process</code>. Delete the file or
kill the process: both come back.</p>
`;
