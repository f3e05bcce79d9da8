import { structuredPatch } from "diff";

const CONTEXT_LINES = 3;
/** Comparing large texts that have little in common would freeze the page. */
const DIFF_MAX_MS = 1_000;

/** The lines in which two texts differ, with some around them. */
export function DiffView({ before, after }: { readonly before: string; readonly after: string }) {
  if (before === after) return <p className="quiet">Nothing: it is stored like this already.</p>;
  const patch = structuredPatch("", "", before, after, "", "", { context: CONTEXT_LINES, timeout: DIFF_MAX_MS });
  if (patch === undefined) return <p>Too much to show line by line.</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: WCAG 2.1.1: long lines are scrolled with the keyboard too
    <pre className="diff" tabIndex={0}>
      {patch.hunks.map(({ oldStart, lines }) => (
        <code key={oldStart}>
          <span className="place">from line {oldStart}</span>
          {lines.map((line, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines have nothing else that tells them apart, and never move
            <span key={at} className={CLASSES.get(line[0])}>
              {line}
            </span>
          ))}
        </code>
      ))}
    </pre>
  );
}

const CLASSES: ReadonlyMap<string | undefined, string> = new Map([
  ["+", "added"],
  ["-", "removed"],
]);
