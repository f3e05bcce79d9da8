import { type ClientResource, isNotFound } from "../../src/client/index.js";
import { defineReconciler, done, type ReconcileContext } from "../../src/controlloop/index.js";
import { EXAMPLES_GROUP } from "../example.js";
import { fieldsOf, portOf, textOf } from "../spec-fields.js";

interface WebsiteSpec {
  readonly html: string;
  readonly port: number;
}

interface WebsiteStatus {
  readonly url: string;
}

/**
 * How websites held and marked what they made before resources had owners. Children of that time are adopted by the next pass; a
 * website that goes without one lets go of them by hand.
 */
const BEFORE_OWNERS = { finalizer: "examples/website", annotation: "examples/website-uid", kinds: ["file", "process"] };

/**
 * Turns every resource of kind `website` into a `file` and a `process` that serves it.
 *
 * The pattern: resources made of resources. A pass applies the children and reads how they are. The server asks for the next
 * one when a child changes and deletes the children with the website: no watch, no timer, no finalizer.
 */
export const websiteReconciler = defineReconciler<WebsiteSpec, WebsiteStatus>({
  name: "website-example",
  resourceGroup: EXAMPLES_GROUP,
  kind: "website",
  parseSpec(spec) {
    const fields = fieldsOf(spec, ["html", "port"]);
    return { html: textOf(fields.get("html"), "html"), port: portOf(fields.get("port")) };
  },
  async reconcile(website, context) {
    context.removeFinalizer(BEFORE_OWNERS.finalizer);
    if (context.isDeleting) {
      await deleteUnowned(website, context);
      return done();
    }
    const { children, setCondition } = context;
    const { html, port } = website.spec;
    const path = `websites/${website.uid}.html`;
    const adopt = (existing: ClientResource) => isMadeBy(website, existing);
    await Promise.all([
      children.apply({ kind: "file", spec: { path, content: html } }, { adopt }),
      children.apply({ kind: "process", spec: { script: "static-server", args: [path], port } }, { adopt }),
    ]);

    const status = { url: `http://127.0.0.1:${port}/` };
    const waiting = (await children.waitingFor()).map(({ child, message }) => `its ${child.key.kind}: ${message}`);
    if (waiting.length > 0) setCondition("Ready", "False", "Waiting", `waiting for ${waiting.join(", and for ")}`);
    else setCondition("Ready", "True", "Serving", `${status.url} serves generation ${website.generation}`);
    return done(status);
  },
});

function isMadeBy(website: ClientResource, existing: ClientResource): boolean {
  return existing.annotations.get(BEFORE_OWNERS.annotation) === website.uid;
}

async function deleteUnowned(website: ClientResource, { client }: ReconcileContext): Promise<void> {
  for (const kind of BEFORE_OWNERS.kinds) {
    const child = await client.get({ ...website.key, kind });
    if (child === undefined || child.owner !== undefined || !isMadeBy(website, child)) continue;
    await client.delete(child.key, { uid: child.uid }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}
