import { findConditionIn } from "../../../src/controlloop/conditions.js";
import { type ShownCondition, splitStatus } from "../../../src/manifest/split-status.js";
import { visible } from "../../../src/resource/visible.js";
import { Age } from "../elements/age.js";
import { Badge } from "../elements/badge.js";
import { Panel } from "../elements/panel.js";
import type { Tone } from "../elements/tone.js";

/** What the condition Ready says; undefined when there is none. */
export function readyStatusOf(status: unknown): string | undefined {
  return findConditionIn(status, "Ready")?.status;
}

/** What the reconciler says of the resource, fact by fact. */
export function ConditionsPanel({ status }: { readonly status: unknown }) {
  const { conditions } = splitStatus(status);
  if (conditions.length === 0) return null;
  const table = (
    <table>
      <thead>
        <tr>
          <th>Condition</th>
          <th>Status</th>
          <th>Reason</th>
          <th>Message</th>
          <th className="number">Since</th>
        </tr>
      </thead>
      <tbody>
        {conditions.map((condition) => (
          <tr key={condition.type}>
            <td>{visible(condition.type)}</td>
            <td>
              <Badge tone={toneOf(condition)}>{condition.status}</Badge>
            </td>
            <td>{visible(condition.reason)}</td>
            <td className="wrap">{visible(condition.message, true)}</td>
            <td className="number">
              <Age at={condition.since} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
  return <Panel title="Conditions" scroll={table} />;
}

/** Ready and its like are good when True; Quarantined is the one that is bad. */
function toneOf({ type, status }: ShownCondition): Tone {
  if (status !== "True" && status !== "False") return "calm";
  return (status === "True") === (type !== "Quarantined") ? "good" : "bad";
}
