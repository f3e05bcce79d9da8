import { type ReactNode, useId } from "react";

/** A titled part of a page. `aside` stands at the right of the title. A table goes in as `scroll`, anything else as children. */
export function Panel(props: {
  readonly title: string;
  readonly aside?: ReactNode;
  readonly scroll?: ReactNode;
  readonly children?: ReactNode;
}) {
  const id = useId();
  return (
    <section className="panel" aria-labelledby={id}>
      <header>
        <h2 id={id}>{props.title}</h2>
        {props.aside}
      </header>
      {props.scroll !== undefined && (
        // Focusable, because a table that is wider than a phone is scrolled with the keyboard too.
        // biome-ignore lint/a11y/noNoninteractiveTabindex: WCAG 2.1.1, axe rule scrollable-region-focusable
        <section className="scroll" tabIndex={0} aria-labelledby={id}>
          {props.scroll}
        </section>
      )}
      {props.children !== undefined && <div className="body">{props.children}</div>}
    </section>
  );
}
