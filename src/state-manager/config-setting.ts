import { isIPv6 } from "node:net";

/** How a value is written in the environment. */
interface Format<T> {
  /** Completes "must be", in errors and in the settings table. */
  readonly values: string;
  /** Undefined when the text is no such value. */
  readonly read: (text: string) => T | undefined;
}

/** One variable of the environment: all that errors and documents say about it is said here. */
export interface Setting<T> extends Format<T> {
  readonly fallback: T;
  /** The default as the settings table shows it. */
  readonly shownDefault: string;
  /** What it does, its unit, and why the default is what it is. */
  readonly description: string;
  /** Whether its value must never be printed or logged. */
  readonly isSecret: boolean;
}

/** A setting with a default, given as it would be in the environment. */
export function setting<T>(format: Format<T>, shownDefault: string, description: string): Setting<T> {
  const fallback = format.read(shownDefault);
  if (fallback === undefined) throw new Error(`the default ${shownDefault} must be ${format.values}`);
  return { ...format, fallback, shownDefault, description, isSecret: false };
}

/** A setting that may be left out. */
export function optional<T>(format: Format<T>, description: string): Setting<T | undefined> {
  return { ...format, fallback: undefined, shownDefault: "", description, isSecret: false };
}

/** A setting that may be left out and whose value nobody may see. */
export function secret<T>(format: Format<T>, description: string): Setting<T | undefined> {
  return { ...optional(format, description), isSecret: true };
}

/** Any text. */
export const TEXT: Format<string> = { values: "a text", read: (text) => text };

/** A host name, or an IPv4 or IPv6 address. */
export const HOST: Format<string> = {
  values: "a host name or an IP address",
  read: (text) => (/^[\w.-]+$/.test(text) || isIPv6(text) ? text : undefined),
};

/** `true` or `false` and nothing that looks like it: a misspelt switch must not count as off. */
export const SWITCH: Format<boolean> = {
  values: "`true` or `false`",
  read: (text) => (text === "true" ? true : text === "false" ? false : undefined),
};

/** Go's words for yes and no, which the original system reads. */
export const GO_SWITCH: Format<boolean> = {
  values: "one of `1`, `t`, `T`, `true`, `True`, `TRUE`, `0`, `f`, `F`, `false`, `False`, `FALSE`",
  read: (text) =>
    /^(1|t|T|true|True|TRUE)$/.test(text) ? true : /^(0|f|F|false|False|FALSE)$/.test(text) ? false : undefined,
};

/** A whole number within bounds, both inclusive. */
export function wholeNumber(min: number, max: number): Format<number> {
  const read = (text: string) => (/^\d{1,15}$/.test(text) ? Number(text) : Number.NaN);
  return {
    values: `a whole number from ${min} to ${max}`,
    read: (text) => (read(text) >= min && read(text) <= max ? read(text) : undefined),
  };
}

/** One of some words. */
export function oneOf<const T extends string>(words: readonly T[]): Format<T> {
  return {
    values: `one of ${words.map((word) => `\`${word}\``).join(", ")}`,
    read: (text) => words.find((word) => word === text),
  };
}

/** A URL with one of some schemes. */
export function url(...schemes: readonly string[]): Format<string> {
  return {
    values: `a URL that begins with ${schemes.map((scheme) => `\`${scheme}://\``).join(" or ")}`,
    read: (text) =>
      schemes.some((scheme) => text.startsWith(`${scheme}://`)) && URL.canParse(text) ? text : undefined,
  };
}

/** `*`, or origins of web pages as browsers send them, separated by commas. */
export const ORIGINS: Format<readonly string[]> = {
  values: "`*`, or origins such as `https://app.example.com` separated by commas",
  read: (text) => {
    const origins = text === "" ? [] : text.split(",").map((origin) => origin.trim());
    const isOrigin = (origin: string) => URL.canParse(origin) && new URL(origin).origin === origin;
    return text === "*" || origins.every(isOrigin) ? origins : undefined;
  },
};
