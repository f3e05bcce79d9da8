import { useEffect, useMemo, useState } from "react";
import { navigate } from "wouter/use-browser-location";
import { isConflict } from "../../../src/client/api-error.js";
import type { ClientResource } from "../../../src/client/client-resource.js";
import type { ResourceDraft } from "../../../src/client/resource-draft.js";
import { sameManifest } from "../../../src/manifest/resource-document.js";
import type { ResourceKey } from "../../../src/resource/key.js";
import { visible } from "../../../src/resource/visible.js";
import { client } from "../api/server.js";
import { ErrorNote } from "../elements/error-note.js";
import { pathOf, readKey } from "../shell/pages.js";
import { useAddressQuery } from "../shell/use-address-query.js";
import { usePageTitle } from "../shell/use-page-title.js";
import { ConflictNote } from "./conflict-note.js";
import { ManifestForm } from "./manifest-form.js";
import { manifestText } from "./read-draft.js";

/** A status that is written more often than this while one write is tried would starve it. */
const ATTEMPTS_MAX = 10;

/** Changes the desired state of a resource, unless somebody else changed it meanwhile. */
export default function EditPage() {
  const address = useAddressQuery();
  const key = useMemo(() => readKey(address), [address]);
  const title = visible(`Edit ${key.kind} ${key.namespace}/${key.name}`);
  usePageTitle(title);
  const [opened, setOpened] = useState<ClientResource>();
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    readExisting(key).then(setOpened, setError);
  }, [key]);
  if (opened === undefined) return <ErrorNote error={error} doing="open it" />;
  return <OpenedForm title={title} opened={opened} />;
}

function OpenedForm({ title, opened }: { readonly title: string; readonly opened: ClientResource }) {
  /** What the text is compared with, and must still be stored for a write. */
  const [base, setBase] = useState(opened);
  const [text, setText] = useState(() => manifestText(opened));
  const [newer, setNewer] = useState<ClientResource>();

  /** A pass writes its status while one types; that is no conflict. Another desired state is. */
  const update = async (draft: ResourceDraft, dryRun: boolean): Promise<ClientResource> => {
    let expected = base;
    for (let attempt = 1; ; attempt++) {
      const { revision, uid } = expected;
      try {
        return await client.update(draft, { revision, uid, dryRun });
      } catch (error) {
        if (!isConflict(error)) throw error;
        expected = await readExisting(base.key);
        const isSameWish = expected.uid === base.uid && sameManifest(expected, base);
        if (!isSameWish) setNewer(expected);
        if (!isSameWish || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  };
  return (
    <ManifestForm
      key={text}
      text={text}
      title={title}
      verb="Save"
      backTo={pathOf(base.key)}
      review={async (draft) => ({ before: manifestText(base), after: manifestText(await update(draft, true)) })}
      save={async (draft) => navigate(pathOf((await update(draft, false)).key))}
    >
      {newer !== undefined && (
        <ConflictNote
          before={manifestText(base)}
          after={manifestText(newer)}
          onKeep={() => {
            setBase(newer);
            setNewer(undefined);
          }}
          onDiscard={() => {
            setBase(newer);
            setText(manifestText(newer));
            setNewer(undefined);
          }}
        />
      )}
    </ManifestForm>
  );
}

async function readExisting(key: ResourceKey): Promise<ClientResource> {
  const resource = await client.get(key);
  if (resource === undefined) throw new Error("there is no such resource any more");
  return resource;
}
