import { Link } from "wouter";
import type { ResourceKey } from "../../../src/resource/key.js";
import { pathOf } from "../shell/pages.js";

/** Names a resource and leads to its page. */
export function ResourceLink({ resource }: { readonly resource: ResourceKey | undefined }) {
  if (resource === undefined) return null;
  const { resourceGroup, kind, namespace, name } = resource;
  return (
    <Link
      href={pathOf({ resourceGroup, kind, namespace, name })}
      title={`${resourceGroup}/${kind} ${namespace}/${name}`}
    >
      {kind} {namespace}/{name}
    </Link>
  );
}
