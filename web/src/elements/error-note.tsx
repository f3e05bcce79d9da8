import { ApiError } from "../../../src/client/api-error.js";
import { visible } from "../../../src/resource/visible.js";
import { useContact } from "../api/use-contact.js";

/** What the server said, in its words; nothing while it is away, which the top of the page says. */
export function ErrorNote({ error, doing }: { readonly error: unknown; readonly doing: string }) {
  const isAway = useContact() === "away";
  if (error === null || error === undefined) return null;
  const { message, reason, field } = ApiError.from(error);
  if (isAway && reason === "CONNECTION_LOST") return null;
  return (
    <div role="alert" className="note bad wrap">
      Could not {doing}: {visible(message, true)}
      {field !== "" && !message.includes(field) && ` (${visible(field)})`}
    </div>
  );
}
