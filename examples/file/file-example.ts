import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";
import type { ResourceClient, ResourceKey } from "../../src/client/index.js";
import { defineReconciler, done, TerminalError } from "../../src/controlloop/index.js";
import { EXAMPLES_GROUP, type Example, type RequestPass, requestAll } from "../example.js";
import { RefusedPathError, RootedFiles } from "./rooted-files.js";
import { type FileSpec, type FileStatus, parseFileSpec } from "./spec.js";

/**
 * Keeps a file below `<dataDir>/files` for every resource of kind `file`, and puts it back when somebody edits or removes
 * it by hand.
 *
 * The pattern: level, not edge. Every pass compares the whole file; the file system watch only makes the next pass come
 * sooner than the resync, so an event it drops costs time, never correctness.
 */
export async function fileExample(options: {
  readonly client: ResourceClient;
  readonly requestPass: RequestPass;
  readonly dataDir: string;
}): Promise<Example> {
  const { client, requestPass } = options;
  const files = await RootedFiles.open(join(options.dataDir, "files"));
  /** Who has a path: the first resource that asks for it. */
  const owners = new Map<string, { readonly uid: string; readonly key: ResourceKey }>();
  let watcher: FSWatcher | undefined;

  /** Removes the file at `path` unless another resource has it. */
  async function release(path: string, uid: string): Promise<void> {
    if ((owners.get(path)?.uid ?? uid) !== uid) return;
    await refusalsAreTerminal(files.remove(path));
    owners.delete(path);
  }

  const reconciler = defineReconciler<FileSpec, FileStatus>({
    name: "file-example",
    resourceGroup: EXAMPLES_GROUP,
    kind: "file",
    finalizer: "examples/file",
    resyncPeriodMs: 30_000,
    parseSpec: parseFileSpec,
    async reconcile(resource, { isDeleting, setCondition }) {
      const { uid, key, status } = resource;
      if (isDeleting) {
        if (status?.path !== undefined) await release(status.path, uid);
        return done();
      }
      const { path, content, mode } = resource.spec;
      const owner = owners.get(path);
      if (owner !== undefined && owner.uid !== uid) {
        throw new TerminalError("PathTaken", `file ${owner.key.namespace}/${owner.key.name} has the path ${path}`);
      }
      owners.set(path, { uid, key });
      if (status?.path !== undefined && status.path !== path) await release(status.path, uid);
      await refusalsAreTerminal(files.write(path, content, mode));
      setCondition("Ready", "True", "Written", `${join(files.root, path)} has the declared content`);
      return done({ path });
    },
  });

  return {
    reconciler,
    async start() {
      for await (const { uid, key, status } of client.list<FileSpec, FileStatus>({
        resourceGroup: EXAMPLES_GROUP,
        kind: "file",
      })) {
        if (status?.path !== undefined) owners.set(status.path, { uid, key }); // whoever had a path keeps it
      }
      watcher = watch(files.root, { recursive: true }, (_, path) => {
        const owner = path === null ? undefined : owners.get(path);
        if (owner !== undefined) requestPass(owner.key, "the file was touched");
      });
      watcher.on("error", () => watcher?.close()); // the resync goes on without it
      await requestAll(client, "file", requestPass);
    },
    async stop() {
      watcher?.close();
    },
  };
}

async function refusalsAreTerminal<T>(action: Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (error) {
    if (error instanceof RefusedPathError) throw new TerminalError("PathRefused", error.message, { cause: error });
    throw error;
  }
}
