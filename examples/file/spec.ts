import { fieldsOf, textOf } from "../spec-fields.js";

/** A file that shall exist with this content. */
export interface FileSpec {
  /** Relative to the root, its parts separated by `/`. */
  readonly path: string;
  readonly content: string;
  readonly mode: number;
}

/** Where the file was put: how it is found again when the spec names another path, or none that is valid. */
export interface FileStatus {
  readonly path: string;
}

/** Checks a spec; throws what is wrong. */
export function parseFileSpec(spec: unknown): FileSpec {
  const fields = fieldsOf(spec, ["path", "content", "mode"]);
  return {
    path: checkPath(textOf(fields.get("path"), "path")),
    content: textOf(fields.get("content"), "content"),
    mode: modeOf(fields.get("mode") ?? "0644"),
  };
}

/** Returns `path` if it cannot but lie below the directory it is relative to. */
export function checkPath(path: string): string {
  const parts = path.split("/");
  const isPlain = (part: string) => part !== "" && part !== "." && part !== ".." && !/[\0\\]/.test(part);
  if (
    path.length > 1024 ||
    parts.length > 16 ||
    !parts.every((part) => isPlain(part) && Buffer.byteLength(part) <= 200)
  ) {
    throw new Error(
      `spec.path must be relative, at most 1,024 characters and 16 parts of 200 bytes, without "..", "." or backslashes, ` +
        `not ${JSON.stringify(path.slice(0, 100))}`,
    );
  }
  return path;
}

function modeOf(value: unknown): number {
  // What the reconciler could not read it would write again and again.
  if (typeof value === "string" && /^0?[4-7][0-7]{2}$/.test(value)) return Number.parseInt(value, 8);
  throw new Error('spec.mode must be three octal digits that let the owner read, for example "0644"');
}
