import { invalidField } from "../../resource/errors.js";
import { checkText } from "../../resource/names.js";
import type { Progress } from "./lease-query.js";

/** Characters of the words that go with a progress. */
const MESSAGE_MAX_CHARACTERS = 1_024;

/** Bytes of a checkpoint: it is stored in the queue's row and handed out with the lease. */
const CHECKPOINT_MAX_BYTES = 65_536;

/**
 * Checks what a Renew says of passes: one entry a token at most, only for listed tokens. Throws INVALID_ARGUMENT naming the
 * field. Together the entries are bounded by what a request may be.
 */
export function validateProgress(leaseTokens: readonly string[], progress: readonly Progress[]): void {
  const listed = new Set(leaseTokens);
  for (const [i, { leaseToken, message, checkpoint }] of progress.entries()) {
    if (!listed.delete(leaseToken)) {
      throw invalidField(
        `progress[${i}].lease_token`,
        "must be one of lease_tokens, with one entry at most; a lease is listed as long as it is held",
      );
    }
    checkText(`progress[${i}].message`, message);
    if (message.length > 2 * MESSAGE_MAX_CHARACTERS || [...message].length > MESSAGE_MAX_CHARACTERS) {
      throw invalidField(
        `progress[${i}].message`,
        `must be at most ${MESSAGE_MAX_CHARACTERS} characters long; shorten it`,
      );
    }
    const bytes = checkpoint?.byteLength ?? 0;
    if (bytes > CHECKPOINT_MAX_BYTES) {
      throw invalidField(
        `progress[${i}].checkpoint`,
        `must be at most ${CHECKPOINT_MAX_BYTES} bytes (got ${bytes}); keep the data elsewhere and refer to it`,
      );
    }
  }
}
