import { describe, expect, it } from "vitest";
import { ORIGIN, type Position } from "../../../src/resource/change.js";
import { DomainError, type ErrorReason } from "../../../src/resource/errors.js";
import { ResumeTokens } from "../../../src/state-manager/watch/resume-token.js";
import { newFingerprint } from "../../support/changes.js";

const STORE = "0190c6f0-1111-7222-8333-444455556666";
const tokens = new ResumeTokens({ storeId: STORE, logCount: 2 });
const positions: readonly Position[] = [{ revision: 9_007_199_254_740_993n, fingerprint: -5n }, ORIGIN];

function refusal(token: string): ErrorReason | undefined {
  try {
    tokens.decode(token);
    return undefined;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.field).toBe("resume_token");
    return error.reason;
  }
}

describe("ResumeTokens", () => {
  it("reads back what it wrote, for 1 to 64 logs", () => {
    expect(tokens.decode(tokens.encode(positions))).toEqual(positions);
    for (const logCount of [1, 7, 64]) {
      const all = Array.from({ length: logCount }, (_, log) => ({
        revision: BigInt(log + 1),
        fingerprint: newFingerprint(),
      }));
      const ofStore = new ResumeTokens({ storeId: STORE, logCount });
      expect(ofStore.decode(ofStore.encode(all))).toEqual(all);
    }
  });

  it("is safe in a URL and in an SSE id", () => {
    expect(tokens.encode(positions)).toMatch(/^[A-Za-z0-9_-]+$/);
  });

  it("refuses a token of another store (I4)", () => {
    const other = new ResumeTokens({ storeId: "0190c6f0-1111-7222-8333-444455556667", logCount: 2 });
    expect(refusal(other.encode(positions))).toBe("FOREIGN_TOKEN");
    const otherLogs = new ResumeTokens({ storeId: STORE, logCount: 1 });
    expect(refusal(otherLogs.encode([ORIGIN]))).toBe("FOREIGN_TOKEN");
  });

  it("refuses what no server wrote", () => {
    const token = tokens.encode(positions);
    const malformed = [
      "",
      "x",
      "not a token",
      token.slice(0, -3),
      `${token}AAAA`,
      `${token} `,
      `${token}=`,
      token.replace(/^./, "B"),
    ];
    for (const text of [...malformed, "A".repeat(100_000), "💥".repeat(20)])
      expect([text, refusal(text)]).toEqual([text, "MALFORMED_TOKEN"]);
  });

  it("refuses impossible positions", () => {
    expect(refusal(tokens.encode([{ revision: -1n, fingerprint: 5n }, ORIGIN]))).toBe("MALFORMED_TOKEN");
    expect(refusal(tokens.encode([{ revision: 0n, fingerprint: 5n }, ORIGIN]))).toBe("MALFORMED_TOKEN");
    expect(refusal(tokens.encode([{ revision: 3n, fingerprint: 0n }, ORIGIN]))).toBe("MALFORMED_TOKEN");
  });

  it("never throws anything but a refusal on damaged tokens", () => {
    const token = tokens.encode(positions);
    for (let i = 0; i < token.length; i++) {
      for (const character of "A_9") refusal(token.slice(0, i) + character + token.slice(i + 1));
      refusal(token.slice(0, i));
    }
  });
});
