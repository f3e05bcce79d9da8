import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ResourceKey } from "../client/index.js";
import { EXIT, Failure } from "./exit-codes.js";
import { utf8Text } from "./utf8-text.js";

/** A text in a file of its own that somebody edits; only they may read it. */
export class Draft {
  readonly file: string;
  /** As it was opened; after `edit`, as it was saved. */
  text: string;

  constructor({ kind, name }: ResourceKey, text: string) {
    const label = `${kind}-${name}`.replace(/[^\w.-]/g, "_").slice(0, 100);
    this.file = join(mkdtempSync(join(tmpdir(), "reconcile-")), `${label}.yaml`); // a directory of mode 700
    this.text = text;
    writeFileSync(this.file, text, { mode: 0o600 });
  }

  /** Waits for the editor; answers whether there is something new. If not, the file is gone. */
  async edit(env: NodeJS.ProcessEnv): Promise<boolean> {
    const editor = env.VISUAL || env.EDITOR || "vi";
    // Through a shell, as git does: people write `code --wait` there.
    const child = spawn(`${editor} "${this.file}"`, { shell: true, stdio: "inherit", env });
    // Ctrl-C on the terminal reaches both; it is the editor's to decide what that means.
    const ignore = () => {};
    process.on("SIGINT", ignore);
    const [code, signal] = await once(child, "exit").finally(() => process.off("SIGINT", ignore));
    if (code !== 0) {
      throw new Failure(
        `the editor (${editor}) ended with ${signal ?? code}; nothing is stored, the text is in ${this.file}`,
      );
    }
    const saved = utf8Text(readFileSync(this.file), this.file);
    if ("problem" in saved) throw new Failure("nothing is stored", EXIT.usage, [saved.problem]);
    const isNew = saved.text !== this.text && saved.text.trim() !== "";
    this.text = saved.text;
    if (!isNew) this.remove();
    return isNew;
  }

  /** Removes the file. */
  remove(): void {
    rmSync(dirname(this.file), { recursive: true, force: true });
  }
}
