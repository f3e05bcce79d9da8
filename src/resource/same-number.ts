/**
 * Whether two JSON numbers are the same number, compared as decimals and so exactly: 1, 1.0 and 10e-1 are, 2^53 and 2^53 + 1
 * are not. Of a number with an exponent beyond 15 digits only the same text is.
 */
export function sameNumber(a: string, b: string): boolean {
  if (a === b) return true;
  const [x, y] = [decimal(a), decimal(b)];
  return x.digits === y.digits && x.isNegative === y.isNegative && x.exponent === y.exponent;
}

/** `digits` × 10 ^ `exponent`; neither the first nor the last digit is 0, and zero has no digits and no sign. */
interface Decimal {
  readonly isNegative: boolean;
  readonly digits: string;
  readonly exponent: number;
}

function decimal(literal: string): Decimal {
  const [mantissa = "", exponent = "0"] = literal.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.replace("-", "").split(".");
  const all = (whole + fraction).replace(/^0+/, "");
  const digits = withoutTrailingZeros(all);
  if (digits === "") return { isNegative: false, digits, exponent: 0 };
  const shift = all.length - digits.length - fraction.length;
  return { isNegative: literal.startsWith("-"), digits, exponent: exponentOf(exponent) + shift };
}

/** NaN, which equals nothing, for one that a double does not hold exactly. */
function exponentOf(text: string): number {
  const exponent = Number(text);
  return Math.abs(exponent) < 1e15 ? exponent : Number.NaN;
}

/** Not by a regular expression, which takes the square of the length of inner zeros. */
function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (digits[end - 1] === "0") end--;
  return digits.slice(0, end);
}
