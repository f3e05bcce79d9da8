import { ORIGIN, type Position } from "../../resource/change.js";
import { DomainError } from "../../resource/errors.js";
import type { StoreIdentity } from "../store/store.js";

const VERSION = 1;
const HEADER_BYTES = 18;
const POSITION_BYTES = 16;
/** 64 logs make 1,390 characters. */
const MAX_CHARACTERS = 2_048;

/**
 * Writes and reads resume tokens: base64url of a version byte, the store's id (16 bytes), the number of logs (1 byte), and
 * per log its revision and fingerprint (8 bytes each). Opaque to clients; another layout gets another version.
 */
export class ResumeTokens {
  readonly #identity: StoreIdentity;
  readonly #header: Buffer;
  /** What was encoded last: watches that are woken together stand at one place. */
  #last: { readonly positions: readonly Position[]; readonly token: string } | undefined;

  constructor(identity: StoreIdentity) {
    this.#identity = identity;
    const storeId = Buffer.from(identity.storeId.replaceAll("-", ""), "hex");
    if (storeId.length !== 16) throw new Error(`store id ${identity.storeId} is not a UUID`);
    this.#header = Buffer.concat([Buffer.from([VERSION]), storeId, Buffer.from([identity.logCount])]);
  }

  /** The token of `positions`, one per log. */
  encode(positions: readonly Position[]): string {
    if (this.#last?.positions !== positions) this.#last = { positions, token: this.#encode(positions) };
    return this.#last.token;
  }

  #encode(positions: readonly Position[]): string {
    const bytes = Buffer.allocUnsafe(HEADER_BYTES + positions.length * POSITION_BYTES);
    this.#header.copy(bytes);
    let offset = HEADER_BYTES;
    for (const { revision, fingerprint } of positions) {
      offset = bytes.writeBigInt64BE(revision, offset);
      offset = bytes.writeBigInt64BE(fingerprint, offset);
    }
    return bytes.toString("base64url");
  }

  /**
   * One position per log. Throws DomainError INVALID_ARGUMENT: MALFORMED_TOKEN for a text no server wrote, FOREIGN_TOKEN
   * for a token of another store (I4). Whether the positions are of this store's history only PostgreSQL can tell.
   */
  decode(token: string): readonly Position[] {
    if (token.length > MAX_CHARACTERS)
      throw malformed(`has ${token.length} characters; a token has at most ${MAX_CHARACTERS}`);
    const bytes = Buffer.from(token, "base64url");
    // The decoder skips characters outside the alphabet: only a text that comes back the same is a token.
    if (bytes.toString("base64url") !== token || bytes.length < HEADER_BYTES)
      throw malformed("is not a token of this service");
    if (bytes[0] !== VERSION) throw malformed(`has version ${bytes[0]}; this server reads version ${VERSION}`);
    const logCount = bytes[HEADER_BYTES - 1] ?? 0;
    if (bytes.length !== HEADER_BYTES + logCount * POSITION_BYTES) throw malformed("is cut off or too long");
    if (!bytes.subarray(0, HEADER_BYTES).equals(this.#header)) {
      throw foreign(`the resume token was issued by another store than ${this.#identity.storeId}`);
    }
    return Array.from({ length: logCount }, (_, log) => readPosition(bytes, HEADER_BYTES + log * POSITION_BYTES));
  }
}

/** A token whose position is not in this store's history: of another store, or from before a restore. */
export function foreign(what: string, cause?: unknown): DomainError {
  const message = `${what}; list again and watch with the token of that list`;
  return new DomainError("INVALID_ARGUMENT", "FOREIGN_TOKEN", message, { field: "resume_token", cause });
}

function malformed(what: string): DomainError {
  const message = `resume_token ${what}; pass a token exactly as it was received, or list again`;
  return new DomainError("INVALID_ARGUMENT", "MALFORMED_TOKEN", message, { field: "resume_token" });
}

function readPosition(bytes: Buffer, offset: number): Position {
  const revision = bytes.readBigInt64BE(offset);
  const fingerprint = bytes.readBigInt64BE(offset + 8);
  if (revision < 0n || (revision === ORIGIN.revision) !== (fingerprint === ORIGIN.fingerprint)) {
    throw malformed("holds an impossible position");
  }
  return { revision, fingerprint };
}
