import { PINNED } from "./session-contract.js";

/** A `-c name=value` of the start-up options. */
export interface SessionOption {
  readonly name: string;
  readonly value: string;
}

/** Parameters of a URL that the driver would take for settings of ours. */
const RESERVED_PARAMETERS = [
  "statement_timeout",
  "lock_timeout",
  "idle_in_transaction_session_timeout",
  "query_timeout",
  "binary",
  "replication",
] as const;

/** What is wrong with the parameters of a URL that PostgreSQL is to be reached by; no value is shown, it may be secret. */
export function databaseUrlProblems(url: string): readonly string[] {
  const parameters = new URL(url).searchParams;
  const reserved = RESERVED_PARAMETERS.filter((name) => parameters.has(name));
  const encoding = parameters.get("client_encoding");
  const options = readOptions(parameters.getAll("options").join(" "));
  if (options === undefined) return ["DATABASE_URL: options must be written as -c name=value, separated by spaces"];
  const contradicted = options.filter(({ name, value }) => isContradiction(name, value));
  return [
    ...reserved.map((name) => `DATABASE_URL must not have the parameter ${name}: the server sets it itself; remove it`),
    ...(encoding !== null && !/^utf-?8$/i.test(encoding)
      ? ["DATABASE_URL: client_encoding must be UTF8; remove it"]
      : []),
    ...contradicted.map(
      ({ name }) => `DATABASE_URL: options must not set ${name}: the server needs ${PINNED.get(name)}; remove it`,
    ),
  ];
}

/** The URL without its options, and these. Throws what `databaseUrlProblems` says. */
export function splitOptions(url: string): { readonly url: string; readonly options: readonly SessionOption[] } {
  const [problem] = databaseUrlProblems(url);
  if (problem !== undefined) throw new Error(problem);
  const rest = new URL(url);
  const options = readOptions(rest.searchParams.getAll("options").join(" ")) ?? [];
  rest.searchParams.delete("options");
  return { url: options.length === 0 ? url : rest.href, options };
}

/** As PostgreSQL wants them: a space or backslash in a value is escaped. */
export function formatOptions(options: Iterable<SessionOption>): string {
  return Array.from(options, ({ name, value }) => `-c ${name}=${value.replace(/[\\\s]/g, "\\$&")}`).join(" ");
}

function isContradiction(name: string, value: string): boolean {
  const pinned = PINNED.get(name);
  return pinned !== undefined && pinned.toLowerCase() !== value.toLowerCase();
}

/** Reads `-c name=value`, `-cname=value` and `--name=value` (PostgreSQL's `process_postgres_switches`); undefined for anything else. */
function readOptions(text: string): readonly SessionOption[] | undefined {
  const words = (text.match(/(?:\\.|[^\s\\])+/gs) ?? []).map((word) => word.replace(/\\(.)/gs, "$1"));
  const options: SessionOption[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    const assignment = word === "-c" ? words[++i] : /^(?:-c|--)(.+)$/s.exec(word)?.[1];
    const [, name, value] = /^([\w.-]+)=(.*)$/s.exec(assignment ?? "") ?? [];
    if (name === undefined || value === undefined) return undefined;
    options.push({ name: name.replaceAll("-", "_").toLowerCase(), value });
  }
  return options;
}
