import { Component, type ReactNode } from "react";

/** Shows what broke a page instead of nothing at all. A page that comes after an update of the server is one cause. */
export class PageBoundary extends Component<{ readonly children: ReactNode }, { readonly error: unknown }> {
  override readonly state: { readonly error: unknown } = { error: undefined };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return (
      <div role="alert" className="note bad wrap">
        <p>The page could not be shown: {error instanceof Error ? error.message : String(error)}</p>
        <p>
          <button type="button" onClick={() => location.reload()}>
            Load it anew
          </button>
        </p>
      </div>
    );
  }
}
