import { TerminalError } from "./result.js";

/**
 * What a spec is checked with: any object of the Standard Schema (https://standardschema.dev, version 1), as the schemas of
 * zod, valibot and arktype are. Only the part that is used here.
 */
export interface StandardSchema<Output> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
  };
}

/** What a schema makes of a value. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** What is wrong with a value, and where. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The spec as the schema returns it. Throws with every issue and its path; a schema that answers later is refused. */
export function parseBySchema<Output>(schema: StandardSchema<Output>, spec: unknown): Output {
  const result = schema["~standard"].validate(spec);
  if (result instanceof Promise) {
    result.catch(() => {}); // whatever it says, nobody waits for it
    throw new TerminalError("AsyncSchema", "the schema of the spec answers with a promise; use one that does not");
  }
  if (result.issues !== undefined) throw new Error(result.issues.map(describeIssue).join("; "));
  return result.value;
}

function describeIssue({ message, path = [] }: SchemaIssue): string {
  const names = path.map((segment) => String(typeof segment === "object" ? segment.key : segment));
  return `${["spec", ...names].join(".")}: ${message}`;
}
