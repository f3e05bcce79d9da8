import { useEffect } from "react";
import { visible } from "../../../src/resource/visible.js";

/** Names the page in the tab, in the history and to screen readers. */
export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = `${visible(title)} · reconcile`;
  }, [title]);
}
