import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import type { ResourceDraft } from "../../../src/client/resource-draft.js";
import { ErrorNote } from "../elements/error-note.js";
import { Panel } from "../elements/panel.js";
import { useAction } from "../elements/use-action.js";
import { DiffView } from "./diff-view.js";
import { readDraft } from "./read-draft.js";
import { YamlEditor } from "./yaml-editor.js";
import "./editor.css";

/** What a write would change: two manifests. */
export interface Review {
  readonly before: string;
  readonly after: string;
}

/**
 * Text, then what it would change, then the write. The server is asked twice: what it would store, by a dry run with all of its
 * checks, and to store it. Nothing that was typed is lost by a refusal.
 */
export function ManifestForm(props: {
  /** What the text begins with; with another one, give the form another key. */
  readonly text: string;
  readonly title: string;
  /** The word on the last button. */
  readonly verb: string;
  /** Where one gets without saving. */
  readonly backTo: string;
  /** Asks the server; rejects when it would refuse. */
  readonly review: (draft: ResourceDraft) => Promise<Review>;
  readonly save: (draft: ResourceDraft) => Promise<void>;
  /** What there is to say above the text. */
  readonly children?: ReactNode;
}) {
  const { text, title, verb, children } = props;
  const [typed, setTyped] = useState(text);
  const [reviewed, setReviewed] = useState<Review & { readonly draft: ResourceDraft }>();
  const [problems, setProblems] = useState<readonly string[]>([]);
  const reviewing = useAction(async () => {
    const { draft, problems } = readDraft(typed);
    setProblems(problems);
    if (draft !== undefined) setReviewed({ draft, ...(await props.review(draft)) });
  });
  const saving = useAction(async () => {
    if (reviewed === undefined) return;
    setReviewed(undefined); // what a refusal was about has to be looked at again
    await props.save(reviewed.draft);
  });
  const change = (now: string) => {
    setTyped(now);
    setReviewed(undefined); // what was reviewed is not what stands there any more
  };
  return (
    <>
      <h1>{title}</h1>
      {children}
      <Panel title="Manifest">
        <YamlEditor text={text} label={`${title}, as YAML`} onChange={change} />
      </Panel>
      {problems.length > 0 && (
        <ul role="alert" className="note bad problems">
          {problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      )}
      <ErrorNote error={reviewing.error} doing="go on" />
      {reviewed !== undefined && (
        <Panel title="What would change">
          <DiffView before={reviewed.before} after={reviewed.after} />
        </Panel>
      )}
      <ErrorNote error={saving.error} doing={verb.toLowerCase()} />
      <div className="row">
        <button
          type="button"
          className={reviewed === undefined ? "main" : ""}
          onClick={reviewing.run}
          disabled={reviewing.isRunning}
        >
          Review
        </button>
        {reviewed !== undefined && (
          <button
            type="button"
            className="main"
            onClick={saving.run}
            disabled={saving.isRunning || reviewed.before === reviewed.after}
          >
            {verb}
          </button>
        )}
        <Link className="button" href={props.backTo}>
          Back
        </Link>
      </div>
    </>
  );
}
