import { memo, useMemo } from "react";
import { parseExact } from "../../../src/manifest/exact.js";
import { yamlText } from "../../../src/manifest/yaml.js";
import { Panel } from "../elements/panel.js";
import "./payload-panel.css";
import { visible } from "../../../src/resource/visible.js";

/** A larger text is shown as it is stored: making YAML of it would freeze the page. */
const YAML_MAX_CHARACTERS = 100_000;

/** A spec or a status as YAML, with every number as it was written. */
export const PayloadPanel = memo(function PayloadPanel({
  title,
  json,
}: {
  readonly title: string;
  readonly json: string;
}) {
  const text = useMemo(() => payloadText(json), [json]);
  return (
    <Panel
      title={title}
      scroll={
        <pre className="payload">
          <code>{text === "null" ? <span className="quiet">nothing yet</span> : text}</code>
        </pre>
      }
    />
  );
});

/** What cannot be made YAML of is shown as it is stored, too. */
function payloadText(json: string): string {
  if (json.length > YAML_MAX_CHARACTERS) return visible(json, true);
  try {
    return yamlText(parseExact(json)).trimEnd();
  } catch {
    return visible(json, true);
  }
}
