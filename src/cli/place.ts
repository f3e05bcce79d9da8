import { readServerUrl } from "../client/server-url.js";
import { chooseContext } from "./context-file.js";
import { usageError } from "./exit-codes.js";

/** Where a command works: which server, and what stands for what is left out. */
export interface Place {
  readonly server: string;
  readonly namespace: string;
  /** Undefined: found by asking the server. */
  readonly group: string | undefined;
}

/** What the options of a command say of it. */
export interface PlaceOptions {
  readonly server?: string | undefined;
  readonly context?: string | undefined;
  readonly namespace?: string | undefined;
  readonly group?: string | undefined;
}

const DEFAULT_SERVER = "http://127.0.0.1:8080";

/** The nearest word counts: the option, the variable (unless a context is named), the context, the default. */
export function choosePlace(env: NodeJS.ProcessEnv, options: PlaceOptions): Place {
  const context = chooseContext(env, options.context);
  const variable = options.context === undefined ? env.RECONCILE_SERVER || undefined : undefined;
  return {
    server: checkUrl(options.server ?? variable ?? context?.server ?? DEFAULT_SERVER),
    namespace: options.namespace ?? context?.namespace ?? "default",
    group: options.group ?? context?.group,
  };
}

/** Throws unless it is the address of a server; without a slash at its end. */
export function checkUrl(text: string): string {
  try {
    return readServerUrl(text).href.replace(/\/+$/, "");
  } catch (error) {
    throw usageError(error instanceof Error ? error.message : String(error));
  }
}
