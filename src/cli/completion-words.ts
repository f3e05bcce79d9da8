import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Complete, RootCommand } from "@bomb.sh/tab";
import type { Cli } from "./terminal.js";
import { withClient } from "./with-client.js";

/** More would only scroll. */
const NAMES_MAX = 100;

/** Adds to the words that commander knows those that only the disk and the server know: files, kinds and names. */
export async function addWords(root: RootCommand, words: readonly string[], cli: Cli): Promise<void> {
  const [verb = "", kind = ""] = words;
  const typed = words.at(-1) ?? "";
  const command = root.commands.get(verb);
  const filename = command?.options.get("filename");
  if (filename !== undefined) filename.handler = offer(filesLike(typed));
  const kinds = command?.arguments.get("kind");
  if (kinds === undefined || words.length < 2 || typed.startsWith("-")) return;
  const slash = typed.indexOf("/");
  if (slash !== -1) {
    const before = typed.slice(0, slash);
    kinds.handler = offer((await namesOf(cli, before)).map((name) => `${before}/${name}`));
  } else if (words.length === 2) kinds.handler = offer(await kindsOf(cli));
  else command?.argument("name", offer(await namesOf(cli, kind)));
}

/** A shell inserts a word as it is: one that would mean something to it is not offered. */
const PLAIN_WORD = /^[\p{L}\p{N}_./:@%+=,-]+$/u;

function offer(words: readonly string[]): (complete: Complete) => void {
  return (complete) => {
    for (const word of words) if (PLAIN_WORD.test(word)) complete(word, "");
  };
}

/** What is in the directory that `typed` leads to; directories end with a slash. */
function filesLike(typed: string): readonly string[] {
  const directory = typed.endsWith("/") ? typed : dirname(typed);
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.map((entry) => join(directory, entry.name) + (entry.isDirectory() ? "/" : ""));
  } catch {
    return []; // there is no such directory
  }
}

async function kindsOf(cli: Cli): Promise<readonly string[]> {
  const { kinds } = await withClient(cli, {}, (client) => client.kinds()).catch(() => ({ kinds: [] }));
  return kinds.map(({ kind }) => kind);
}

async function namesOf(cli: Cli, kind: string): Promise<readonly string[]> {
  const names: string[] = [];
  await withClient(cli, {}, async (client, { namespace }) => {
    for await (const { key } of client.list({ kind, namespace }, { pageSize: NAMES_MAX, isSummary: true })) {
      if (names.push(key.name) === NAMES_MAX) return;
    }
  }).catch(() => {}); // a shell that completes is no place for errors
  return names;
}
