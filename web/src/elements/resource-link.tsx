import { Link } from "wouter";
import type { ResourceKey } from "../../../src/resource/key.js";
import { visible } from "../../../src/resource/visible.js";
import { pathOf } from "../shell/pages.js";

/** Names a resource and leads to its page. */
export function ResourceLink({ resource }: { readonly resource: ResourceKey | undefined }) {
  if (resource === undefined) return null;
  const { resourceGroup, kind, namespace, name } = resource;
  return (
    <Link
      href={pathOf({ resourceGroup, kind, namespace, name })}
      title={visible(`${resourceGroup}/${kind} ${namespace}/${name}`)}
    >
      {visible(`${kind} ${namespace}/${name}`)}
    </Link>
  );
}
