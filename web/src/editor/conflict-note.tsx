import { DiffView } from "./diff-view.js";

/** Somebody else wrote while one typed: what they changed, and how to go on. Nothing is stored, nothing typed is lost. */
export function ConflictNote(props: {
  readonly before: string;
  readonly after: string;
  readonly onKeep: () => void;
  readonly onDiscard: () => void;
}) {
  return (
    <section role="alert" aria-label="Conflict" className="note warn conflict">
      <p>
        Somebody else has changed it since you opened it. Nothing is stored, and your text is kept. This is what they
        changed:
      </p>
      <DiffView before={props.before} after={props.after} />
      <div className="row">
        <button type="button" onClick={props.onKeep}>
          Keep my text and review it against theirs
        </button>
        <button type="button" className="danger" onClick={props.onDiscard}>
          Discard my text and start from theirs
        </button>
      </div>
    </section>
  );
}
