import type { ReactNode } from "react";
import type { Tone } from "./tone.js";

/** A word on a coloured ground. */
export function Badge(props: { readonly tone: Tone; readonly title?: string; readonly children: ReactNode }) {
  return (
    <span className={`badge ${props.tone}`} title={props.title}>
      {props.children}
    </span>
  );
}
