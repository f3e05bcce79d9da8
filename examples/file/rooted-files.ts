import { randomUUID } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { lstat, mkdir, open, realpath, rename, rm, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkPath } from "./spec.js";

/**
 * Files below one directory and nowhere else.
 *
 * Paths are checked as text, then part by part on disk: a symbolic link anywhere in them is refused, whatever it points
 * to. What remains is a race that needs another program with write access to the root: it may swap a directory for a link
 * between our look and our use (Node.js has no `openat`). Who may write there could also write the file itself.
 */
export class RootedFiles {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /** Opens the root, making it on first use. The root itself may lie behind links: its operator chose it. */
  static async open(root: string): Promise<RootedFiles> {
    await mkdir(root, { recursive: true });
    return new RootedFiles(await realpath(root));
  }

  /** The root without links. */
  get root(): string {
    return this.#root;
  }

  /** Makes `path` hold `content` with `mode`; false when it did already. The file is replaced as a whole or not at all. */
  async write(path: string, content: string, mode: number): Promise<boolean> {
    const file = await this.#locate(path, true);
    const found = await look(file);
    if (found !== undefined && !found.isFile()) throw new RefusedPathError(`${path} is not a regular file`);
    const bytes = Buffer.from(content);
    if (found !== undefined && (found.mode & 0o777) === mode && (await readPlain(file))?.equals(bytes)) return false;
    const draft = join(dirname(file), `.${randomUUID()}.tmp`);
    try {
      const handle = await open(
        draft,
        constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
        0o600,
      );
      try {
        await handle.writeFile(bytes);
        await handle.chmod(mode); // whatever the umask
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(draft, file); // replaces a link that appeared meanwhile instead of following it
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
    await syncDirectory(dirname(file));
    return true;
  }

  /** Removes `path` if it is there. */
  async remove(path: string): Promise<void> {
    const file = await this.#locate(path, false);
    if (file === undefined || (await look(file)) === undefined) return;
    await unlink(file); // of a link: the link, not its target; of a directory: an error
    await syncDirectory(dirname(file));
  }

  async #locate(path: string, create: true): Promise<string>;
  async #locate(path: string, create: false): Promise<string | undefined>;
  async #locate(path: string, create: boolean): Promise<string | undefined> {
    const parts = checkPath(path).split("/");
    const name = parts.pop() ?? "";
    let directory = this.#root;
    if (create) await mkdir(directory, { recursive: true }); // somebody may have removed that too
    for (const part of parts) {
      directory = join(directory, part);
      let found = await look(directory);
      if (found === undefined && !create) return undefined;
      if (found === undefined) {
        await mkdir(directory).catch(ignoreExisting); // another pass may need the same directory
        found = await look(directory);
      }
      if (!found?.isDirectory()) throw new RefusedPathError(`${directory} is not a directory, or a link to one`);
    }
    if ((await realpath(directory)) !== directory) throw new RefusedPathError(`${directory} leads through a link`);
    return join(directory, name);
  }
}

/** A path that is refused for what lies on disk. */
export class RefusedPathError extends Error {
  override readonly name = "RefusedPathError";
}

async function look(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function readPlain(file: string): Promise<Buffer | undefined> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch {
    return undefined; // unreadable: written again
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function ignoreExisting(error: unknown): void {
  if (!hasCode(error, "EEXIST")) throw error;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
