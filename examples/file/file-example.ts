import { dirname, join, relative } from "node:path";
import type { ResourceClient, ResourceKey } from "../../src/client/index.js";
import { defineReconciler, done, TerminalError } from "../../src/controlloop/index.js";
import { EXAMPLES_GROUP, type Example, type RequestPass, requestAll } from "../example.js";
import { DirectoryWatches } from "./directory-watches.js";
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
  const directoryOf = (path: string) => dirname(join(files.root, path));
  const watches = new DirectoryWatches((file) => {
    const owner = owners.get(relative(files.root, file));
    if (owner !== undefined) requestPass(owner.key, "the file was touched");
  });

  /** Removes what the resource has, but for the file at `wanted`. */
  async function removeOthers(uid: string, wanted?: string): Promise<void> {
    for (const [path, owner] of owners) {
      if (owner.uid !== uid || path === wanted) continue;
      await refusalsAreTerminal(files.remove(path));
      disown(path);
    }
  }

  function disown(path: string): void {
    owners.delete(path);
    const directory = directoryOf(path);
    if (![...owners.keys()].some((other) => directoryOf(other) === directory)) watches.close(directory);
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
        await removeOthers(uid);
        return done();
      }
      const { path, content, mode } = resource.spec;
      const owner = owners.get(path);
      if (owner !== undefined && owner.uid !== uid) {
        throw new TerminalError("PathTaken", `file ${owner.key.namespace}/${owner.key.name} has the path ${path}`);
      }
      owners.set(path, { uid, key });
      await removeOthers(uid, path);
      const lookAndWrite = () => {
        watches.renew(directoryOf(path));
        return refusalsAreTerminal(files.write(path, content, mode));
      };
      try {
        // Again after a write, because that may have made the directory: no change comes between watch and last look.
        if (await lookAndWrite()) await lookAndWrite();
      } catch (error) {
        if (error instanceof TerminalError && status?.path !== path) disown(path); // nothing of ours is there
        throw error;
      }
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
      await requestAll(client, "file", requestPass);
    },
    async stop() {
      watches.close();
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
