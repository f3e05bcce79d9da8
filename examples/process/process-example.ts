import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ResourceClient, ResourceKey } from "../../src/client/index.js";
import { defineReconciler, done, requeueAfter, TerminalError } from "../../src/controlloop/index.js";
import { EXAMPLES_GROUP, type Example, type RequestPass, requestAll } from "../example.js";
import { CrashLoop } from "./crash-loop.js";
import { answersWithin, isPortFree } from "./port.js";
import { type Command, ProcessTable } from "./process-table.js";
import { type ProcessSpec, type ProcessStatus, parseProcessSpec } from "./spec.js";

/** Long enough for a small server to come up within one pass; a slower one is looked at again. */
const PROBE_MS = 1_000;
const LOOK_AGAIN_MS = 500;

/**
 * Keeps a local process running for every resource of kind `process`.
 *
 * The pattern: compare, act, say when to look again; and an outside event (the process ended) only asks for a pass.
 */
export function processExample(options: {
  readonly client: ResourceClient;
  readonly requestPass: RequestPass;
  readonly dataDir: string;
  /** Paths of scripts that may run besides the bundled one. */
  readonly allowedScripts: readonly string[];
  /** The bundled script; elsewhere only in tests. */
  readonly staticServer?: string;
}): Example {
  const { client, requestPass } = options;
  const staticServer = options.staticServer ?? fileURLToPath(new URL("static-server.js", import.meta.url));
  // By the name a spec gives. Anyone who may write a resource decides what runs here, so by default that is one harmless
  // script.
  const scripts = new Map(options.allowedScripts.map((path) => [path, path])).set("static-server", staticServer);
  const filesRoot = join(options.dataDir, "files");
  mkdirSync(filesRoot, { recursive: true });
  const keys = new Map<string, ResourceKey>();
  const crashLoop = new CrashLoop();
  const table = new ProcessTable(join(options.dataDir, "processes"), (uid) => {
    crashLoop.noteExit(uid);
    const key = keys.get(uid);
    if (key !== undefined) requestPass(key, "the process ended");
  });

  async function stop(uid: string): Promise<void> {
    await table.stop(uid);
    crashLoop.forget(uid);
  }

  function commandOf({ script, args, env, port }: ProcessSpec): Command {
    const path = scripts.get(script);
    if (path === undefined) {
      throw new TerminalError("ScriptNotAllowed", `spec.script must be one of ${[...scripts.keys()].join(", ")}`);
    }
    const own = { PATH: process.env.PATH ?? "", PORT: String(port), STATIC_ROOT: filesRoot };
    return { script: path, args, env: { ...Object.fromEntries(env), ...own } };
  }

  const reconciler = defineReconciler<ProcessSpec, ProcessStatus>({
    name: "process-example",
    resourceGroup: EXAMPLES_GROUP,
    kind: "process",
    finalizer: "examples/process",
    resyncPeriodMs: 30_000,
    parseSpec: parseProcessSpec,
    async reconcile(resource, { isDeleting, setCondition, signal }) {
      const { uid, key } = resource;
      if (isDeleting) {
        await stop(uid);
        keys.delete(uid);
        return done();
      }
      keys.set(uid, key);
      const { port } = resource.spec;
      const command = commandOf(resource.spec);
      const running = table.find(uid);
      if (running?.command !== JSON.stringify(command)) {
        if (running !== undefined) await stop(uid);
        const waitMs = crashLoop.waitMs(uid);
        if (waitMs > 0) {
          setCondition("Ready", "False", "CrashLoop", `the process keeps ending; next start in ${waitMs} ms`);
          return requeueAfter(waitMs);
        }
        if (!(await isPortFree(port))) {
          setCondition("Ready", "False", "PortInUse", `another program listens on port ${port}`);
          return requeueAfter(LOOK_AGAIN_MS * 4);
        }
        crashLoop.noteStart(uid);
        table.start(uid, command);
      }
      // One that has ended need not be waited for: the next pass, which its end asked for, starts it again.
      const isAnswering = await answersWithin(port, PROBE_MS, () => !signal.aborted && table.find(uid) !== undefined);
      const pid = table.find(uid)?.pid;
      if (!isAnswering || pid === undefined) {
        setCondition("Ready", "False", "Starting", `waiting for an answer on port ${port}`);
        return requeueAfter(LOOK_AGAIN_MS);
      }
      setCondition("Ready", "True", "Running", `process ${pid} answers on port ${port}`);
      return done({ pid, port });
    },
  });

  return {
    reconciler,
    async start() {
      await stopOrphans();
      await requestAll(client, "process", requestPass);
    },
    async stop() {
      await Promise.all(table.ids().map(stop));
    },
  };

  /** Ends processes of an earlier life whose resource is gone: the store may be another one now. */
  async function stopOrphans(): Promise<void> {
    const known = new Set<string>();
    for await (const { uid } of client.list({ resourceGroup: EXAMPLES_GROUP, kind: "process" })) known.add(uid);
    await Promise.all(
      table
        .ids()
        .filter((uid) => !known.has(uid))
        .map(stop),
    );
  }
}
