import { useState } from "react";
import type { ClientResource } from "../../../src/client/client-resource.js";
import type { ClientFinalizerHold } from "../../../src/client/client-work.js";
import { visible } from "../../../src/resource/visible.js";
import { client } from "../api/server.js";
import { ErrorNote } from "../elements/error-note.js";
import { Modal } from "../elements/modal.js";
import { Panel } from "../elements/panel.js";
import { useAction } from "../elements/use-action.js";

/** What holds the resource, and who is to let go. While a deletion waits, a hold that nobody will release can be forced. */
export function FinalizersPanel(props: {
  readonly resource: ClientResource;
  readonly holds: readonly ClientFinalizerHold[];
}) {
  const { resource, holds } = props;
  const [forced, setForced] = useState<string>();
  if (resource.finalizers.length === 0) return null;
  const isHeld = resource.deletionRequestedAt !== undefined;
  return (
    <Panel title={isHeld ? "What holds its deletion" : "Finalizers"}>
      <dl className="facts">
        {resource.finalizers.map((finalizer) => {
          const hold = holds.find((known) => known.finalizer === finalizer);
          return (
            <div key={finalizer} className="contents">
              <dt className="mono">{visible(finalizer)}</dt>
              <dd className="row">
                {hold !== undefined && visible(sayOwner(hold), true)}
                {isHeld && (
                  <button type="button" className="danger push" onClick={() => setForced(finalizer)}>
                    Force it off…
                  </button>
                )}
              </dd>
            </div>
          );
        })}
      </dl>
      {forced !== undefined && (
        <ForceDialog resource={resource} finalizer={forced} onClose={() => setForced(undefined)} />
      )}
    </Panel>
  );
}

function sayOwner({ owner, isOwnerLive, message }: ClientFinalizerHold): string {
  if (message !== "") return message;
  if (owner === "") return "nobody of that name is known";
  return isOwnerLive ? `${owner} is there` : `${owner} is not there`;
}

function ForceDialog(props: {
  readonly resource: ClientResource;
  readonly finalizer: string;
  readonly onClose: () => void;
}) {
  const { resource, finalizer, onClose } = props;
  const [message, setMessage] = useState("");
  const removal = useAction(async () => {
    await client.forceRemoveFinalizer(resource.key, finalizer, message, { uid: resource.uid });
    onClose();
  });
  return (
    <Modal title={visible(`Force ${finalizer} off?`)} onClose={onClose}>
      <form action={removal.run}>
        <p>What it protected may stay behind, and nobody will clean it up. That you did this is recorded.</p>
        <label>
          Why, and who you are
          <textarea
            value={message}
            required
            maxLength={1024}
            rows={3}
            onChange={(event) => setMessage(event.target.value)}
          />
        </label>
        <ErrorNote error={removal.error} doing="take it off" />
        <div className="row">
          <button type="button" className="push" onClick={onClose}>
            Leave it
          </button>
          <button type="submit" className="danger" disabled={removal.isRunning || message.trim() === ""}>
            Force it off
          </button>
        </div>
      </form>
    </Modal>
  );
}
