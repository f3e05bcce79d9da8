import { printable } from "./printable.js";

/** What people call a resource: `website/blog`, as it may be shown. */
export function nameOf({ kind, name }: { readonly kind: string; readonly name: string }): string {
  return printable(`${kind}/${name}`);
}
