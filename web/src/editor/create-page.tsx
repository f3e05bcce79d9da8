import { useMemo } from "react";
import { navigate } from "wouter/use-browser-location";
import { yamlText } from "../../../src/manifest/yaml.js";
import { client } from "../api/server.js";
import { PAGES, pathOf, readKey } from "../shell/pages.js";
import { useAddressQuery } from "../shell/use-address-query.js";
import { usePageTitle } from "../shell/use-page-title.js";
import { ManifestForm } from "./manifest-form.js";
import { manifestText } from "./read-draft.js";

/** Declares a new resource; the address may name parts of its key. */
export default function CreatePage() {
  usePageTitle("Create");
  const address = useAddressQuery();
  const text = useMemo(() => {
    const { resourceGroup, kind, namespace, name } = readKey(address);
    return yamlText({ group: resourceGroup, kind, namespace: namespace || "default", name, spec: {} });
  }, [address]);
  return (
    <ManifestForm
      text={text}
      title="Create a resource"
      verb="Create"
      backTo={PAGES.resources}
      review={async (draft) => ({ before: "", after: manifestText(await client.create(draft, { dryRun: true })) })}
      save={async (draft) => navigate(pathOf((await client.create(draft)).key))}
    />
  );
}
