import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";

/**
 * A text field for YAML. `text` is what it begins with; a new one replaces what was typed. Tab leaves the field, as in any other.
 *
 * It lives in a shadow root because there CodeMirror adopts style sheets; elsewhere it writes style elements, which the
 * policy of the pages forbids.
 */
export function YamlEditor(props: {
  readonly text: string;
  readonly label: string;
  readonly onChange: (text: string) => void;
}) {
  const { text, label } = props;
  const host = useRef<HTMLDivElement>(null);
  const onChange = useRef(props.onChange);
  onChange.current = props.onChange;

  useEffect(() => {
    if (host.current === null) return;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open" });
    const changed = EditorView.updateListener.of((update) => {
      if (update.docChanged) onChange.current(update.state.doc.toString());
    });
    const named = EditorView.contentAttributes.of({ "aria-label": label });
    const editor = new EditorView({
      state: EditorState.create({ doc: text, extensions: [EXTENSIONS, named, changed] }),
      parent: root,
      root,
    });
    editor.focus();
    return () => editor.destroy();
  }, [text, label]);

  return <div ref={host} className="yaml-editor" />;
}

const COLORS = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: tags.comment, color: "var(--quiet)", fontStyle: "italic" },
  { tag: tags.string, color: "var(--good)" },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: "var(--warn)" },
]);

const LOOKS = EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--surface)", fontSize: "12.5px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5", minHeight: "320px", maxHeight: "65vh" },
  ".cm-content": { caretColor: "var(--text)" },
  ".cm-gutters": { color: "var(--quiet)", backgroundColor: "var(--surface)", border: "0" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--raised)" },
});

const EXTENSIONS = [
  lineNumbers(),
  history(),
  indentOnInput(),
  highlightActiveLine(),
  yaml(),
  syntaxHighlighting(COLORS),
  LOOKS,
  keymap.of([...defaultKeymap, ...historyKeymap]),
];
