import { Document, isScalar, visit } from "yaml";
import { hasInvisible, visible, yamlEscape } from "../resource/visible.js";
import { exactNumbers } from "./exact.js";

/** How YAML is read and written here: version 1.2, with merge keys, numbers as they are written. */
export const YAML_OPTIONS = { customTags: exactNumbers, merge: true, version: "1.2" } as const;

/** YAML text that reads back as the same value; texts of several lines stand as blocks, no line is folded. */
export function yamlText(value: unknown): string {
  // With merge the package takes a key that happens to be << for one, and without it writes it bare, which is read as one.
  const document = new Document(value, { ...YAML_OPTIONS, merge: false, aliasDuplicateObjects: false });
  visit(document, {
    Pair(_, { key }) {
      if (isScalar(key) && key.value === "<<") key.type = "QUOTE_DOUBLE";
    },
    Scalar(_, scalar) {
      if (typeof scalar.value === "string" && hasInvisible(scalar.value, true)) scalar.type = "QUOTE_DOUBLE";
    },
  });
  // Whatever is invisible stands between double quotes now, where an escape means the same.
  return visible(document.toString({ lineWidth: 0 }), true, yamlEscape);
}
