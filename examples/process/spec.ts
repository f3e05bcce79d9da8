import { fieldsOf, portOf, textOf } from "../spec-fields.js";

/** A local process that shall run. */
export interface ProcessSpec {
  /** `static-server`, or the path of a script that EXAMPLES_PROCESS_ALLOW lists. */
  readonly script: string;
  /** The script's own arguments; Node.js sees none of them. */
  readonly args: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  /** Handed over as the environment variable PORT; the process is Ready while it answers there, on 127.0.0.1. */
  readonly port: number;
}

/** What runs. */
export interface ProcessStatus {
  readonly pid: number;
  readonly port: number;
}

/**
 * Variables that make Node.js, the linker, OpenSSL or a child's interpreter load or run something; PATH picks programs,
 * PORT and STATIC_ROOT are the reconciler's.
 */
const FORBIDDEN =
  /^(NODE_.*|NPM_.*|LD_.*|DYLD_.*|OPENSSL_.*|SSL_.*|GCONV_PATH|LOCPATH|ICU_DATA|BASH_ENV|BASH_FUNC.*|ENV|SHELLOPTS|IFS|GIT_.*|PYTHON.*|PERL.*|RUBY.*|JAVA_.*|JDK_.*|_JAVA_.*|PATH|HOME|PORT|STATIC_ROOT)$/i;

/** Checks a spec; throws what is wrong. Which script may run is the reconciler's decision. */
export function parseProcessSpec(spec: unknown): ProcessSpec {
  const fields = fieldsOf(spec, ["script", "args", "env", "port"]);
  const args = fields.get("args") ?? [];
  if (!Array.isArray(args)) throw new Error("spec.args must be a list of texts");
  const env = fields.get("env") ?? {};
  if (typeof env !== "object" || env === null || Array.isArray(env)) throw new Error("spec.env must be an object");
  for (const name of Object.keys(env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw new Error(`spec.env: ${JSON.stringify(name)} is no variable name`);
    if (FORBIDDEN.test(name)) throw new Error(`spec.env.${name} is not allowed: it can change what runs`);
  }
  return {
    script: textOf(fields.get("script"), "script"),
    args: args.map((arg, i) => textOf(arg, `args[${i}]`)),
    env: new Map(Object.entries(env).map(([name, value]) => [name, textOf(value, `env.${name}`)])),
    port: portOf(fields.get("port")),
  };
}
