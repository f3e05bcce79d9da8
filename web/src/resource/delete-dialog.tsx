import { useState } from "react";
import type { ClientResource } from "../../../src/client/client-resource.js";
import type { Propagation } from "../../../src/client/resource-client.js";
import { visible } from "../../../src/resource/visible.js";
import { client } from "../api/server.js";
import { ErrorNote } from "../elements/error-note.js";
import { Modal } from "../elements/modal.js";
import { useAction } from "../elements/use-action.js";

const CHOICES: readonly { readonly propagation: Propagation; readonly text: string }[] = [
  { propagation: "background", text: "Delete them too, and do not wait for them" },
  { propagation: "foreground", text: "Delete them first: this one stays until the last of them is gone" },
  { propagation: "orphan", text: "Keep them, without an owner" },
];

/** Asks before a resource is deleted. What is deleted is what was shown: one that was created anew meanwhile stays. */
export function DeleteDialog({
  resource,
  onClose,
}: {
  readonly resource: ClientResource;
  readonly onClose: () => void;
}) {
  const { key, uid, finalizers } = resource;
  const [propagation, setPropagation] = useState<Propagation>("background");
  const deletion = useAction(async () => {
    await client.delete(key, { uid, propagation });
    onClose();
  });
  return (
    <Modal title={visible(`Delete ${key.kind} ${key.namespace}/${key.name}?`)} onClose={onClose}>
      <form action={deletion.run}>
        {finalizers.length > 0 && (
          <p>
            It goes when these have cleaned up: <span className="mono">{visible(finalizers.join(", "))}</span>. The
            request cannot be taken back.
          </p>
        )}
        <fieldset>
          <legend>What belongs to it</legend>
          {CHOICES.map((choice) => (
            <label key={choice.propagation}>
              <input
                type="radio"
                name="propagation"
                checked={propagation === choice.propagation}
                onChange={() => setPropagation(choice.propagation)}
              />{" "}
              {choice.text}
            </label>
          ))}
        </fieldset>
        <ErrorNote error={deletion.error} doing="delete it" />
        <div className="row">
          <button type="button" className="push" onClick={onClose}>
            Keep it
          </button>
          <button type="submit" className="danger" disabled={deletion.isRunning}>
            Delete
          </button>
        </div>
      </form>
    </Modal>
  );
}
