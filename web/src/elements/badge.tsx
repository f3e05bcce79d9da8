import type { ReactNode } from "react";
import { visible } from "../../../src/resource/visible.js";
import type { Tone } from "./tone.js";

/** A word on a coloured ground. */
export function Badge(props: { readonly tone: Tone; readonly title?: string; readonly children: ReactNode }) {
  return (
    <span className={`badge ${props.tone}`} title={props.title}>
      {typeof props.children === "string" ? visible(props.children) : props.children}
    </span>
  );
}
