import { type ClientResource, isNotFound, type ResourceClient, type ResourceKey } from "../../src/client/index.js";
import {
  defineReconciler,
  done,
  findCondition,
  isReady,
  requeueAfter,
  TerminalError,
} from "../../src/controlloop/index.js";
import { EXAMPLES_GROUP, type Example, type RequestPass, requestAll } from "../example.js";
import { fieldsOf, portOf, textOf } from "../spec-fields.js";

interface WebsiteSpec {
  readonly html: string;
  readonly port: number;
}

interface WebsiteStatus {
  readonly url: string;
}

const CHILD_KINDS = ["file", "process"] as const;
/** On what a website makes: its uid, and its name to find it by. Names may hold characters that labels refuse. */
const OWNER_UID = "examples/website-uid";
const OWNER_NAME = "examples/website-name";
/** In case a change of a child goes unnoticed. */
const LOOK_AGAIN_MS = 5_000;

/**
 * Turns every resource of kind `website` into a `file` and a `process` that serves it.
 *
 * The pattern: resources made of resources. A pass applies the children and reads how they are; a watch on the children
 * asks for the parent's next pass, so nobody polls.
 */
export function websiteExample(options: {
  readonly client: ResourceClient;
  readonly requestPass: RequestPass;
}): Example {
  const { client, requestPass } = options;
  const watching = new AbortController();

  const reconciler = defineReconciler<WebsiteSpec, WebsiteStatus>({
    name: "website-example",
    resourceGroup: EXAMPLES_GROUP,
    kind: "website",
    finalizer: "examples/website",
    parseSpec(spec) {
      const fields = fieldsOf(spec, ["html", "port"]);
      return { html: textOf(fields.get("html"), "html"), port: portOf(fields.get("port")) };
    },
    async reconcile(website, { isDeleting, setCondition }) {
      const children = await Promise.all(CHILD_KINDS.map((kind) => client.get({ ...website.key, kind })));
      if (isDeleting) {
        const own = children.filter((child) => child?.annotations.get(OWNER_UID) === website.uid);
        await Promise.all(own.map((child) => child && remove(child)));
        return own.length === 0 ? done() : requeueAfter(LOOK_AGAIN_MS);
      }
      const stranger = children.find((child) => child && child.annotations.get(OWNER_UID) !== website.uid);
      if (stranger) throw new TerminalError("NameTaken", `a ${stranger.key.kind} of this name exists already`);

      const { html, port } = website.spec;
      const path = `websites/${website.uid}.html`;
      const [file, server] = await Promise.all([
        applyChild(website, "file", { path, content: html }),
        applyChild(website, "process", { script: "static-server", args: [path], port }),
      ]);
      const waiting = [file, server].filter((child) => !isReady(child)).map(describeWait);
      const status = { url: `http://127.0.0.1:${port}/` };
      if (waiting.length > 0) {
        setCondition("Ready", "False", "Waiting", `waiting for ${waiting.join(", and for ")}`);
        return requeueAfter(LOOK_AGAIN_MS, status);
      }
      setCondition("Ready", "True", "Serving", `${status.url} serves generation ${website.generation}`);
      return done(status);
    },
  });

  async function applyChild(website: ClientResource, kind: string, spec: unknown): Promise<ClientResource> {
    const annotations = new Map([
      [OWNER_UID, website.uid],
      [OWNER_NAME, website.key.name],
    ]);
    const draft = { key: { ...website.key, kind }, shardId: website.shardId, annotations, spec };
    return (await client.apply(draft)).resource;
  }

  async function remove({ key, uid }: ClientResource): Promise<void> {
    await client.delete(key, { uid }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }

  async function watchChildren(): Promise<void> {
    // With the initial state, so that a gap in history starts it over instead of ending it.
    const options = { sendInitialState: true, signal: watching.signal };
    for await (const { events } of client.watch({ resourceGroup: EXAMPLES_GROUP }, options)) {
      for (const event of events) {
        const name = "resource" in event ? event.resource.annotations.get(OWNER_NAME) : undefined;
        if (!("resource" in event) || name === undefined) continue;
        const parent: ResourceKey = { ...event.resource.key, kind: "website", name };
        await requestPass(parent, `its ${event.resource.key.kind} changed`);
      }
    }
  }

  let watch: Promise<void> | undefined;
  return {
    reconciler,
    async start() {
      watch = watchChildren();
      await requestAll(client, "website", requestPass);
    },
    async stop() {
      watching.abort();
      await watch;
    },
  };
}

function describeWait(child: ClientResource): string {
  return `its ${child.key.kind}: ${findCondition(child, "Ready")?.message ?? "no pass yet"}`;
}
