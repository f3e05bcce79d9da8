import { InvalidArgumentError } from "@commander-js/extra-typings";

/** Reads a number of things, 1 to 10,000. For options of commander. */
export function readCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 10_000) return count;
  throw new InvalidArgumentError("It must be a whole number from 1 to 10,000.");
}
