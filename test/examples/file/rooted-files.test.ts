import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { RefusedPathError, RootedFiles } from "../../../examples/file/rooted-files.js";
import { parseFileSpec } from "../../../examples/file/spec.js";
import { runDirectory } from "../../support/run-directory.js";

let outside: string;
let root: string;
let files: RootedFiles;

beforeEach(async () => {
  outside = mkdtempSync(join(runDirectory(), "rooted-"));
  root = join(outside, "root");
  files = await RootedFiles.open(root);
  writeFileSync(join(outside, "secret"), "untouched");
});

describe("files below one root", () => {
  it("writes content and mode, once, and leaves no draft behind", async () => {
    expect(await files.write("a/b/c.txt", "grüße", 0o640)).toBe(true);
    expect(await files.write("a/b/c.txt", "grüße", 0o640)).toBe(false);
    expect(readFileSync(join(root, "a/b/c.txt"), "utf8")).toBe("grüße");
    expect(statSync(join(root, "a/b/c.txt")).mode & 0o777).toBe(0o640);
    expect(readdirSync(join(root, "a/b"))).toEqual(["c.txt"]);
  });

  it("puts content and mode back", async () => {
    await files.write("f", "wanted", 0o600);
    writeFileSync(join(root, "f"), "edited");
    expect(await files.write("f", "wanted", 0o600)).toBe(true);
    expect(await files.write("f", "wanted", 0o644)).toBe(true);
    expect(readFileSync(join(root, "f"), "utf8")).toBe("wanted");
  });

  it("removes, also twice, and also what never was", async () => {
    await files.write("a/f", "x", 0o644);
    await files.remove("a/f");
    await files.remove("a/f");
    await files.remove("no/such/directory");
    expect(readdirSync(join(root, "a"))).toEqual([]);
  });

  const escapes = [
    "../secret",
    "a/../../secret",
    "/etc/passwd",
    "a//b",
    "./a",
    "a/.",
    "..",
    ".",
    "",
    "a/",
    "a\\..\\b",
    "a\0b",
    "x".repeat(2000),
    `${"a/".repeat(20)}b`,
  ];
  for (const path of escapes) {
    it(`refuses the path ${JSON.stringify(path.slice(0, 20))}`, async () => {
      expect(() => parseFileSpec({ path, content: "" })).toThrow("spec.path");
      await expect(files.write(path, "stolen", 0o644)).rejects.toThrow("spec.path");
      await expect(files.remove(path)).rejects.toThrow("spec.path");
      expect(readFileSync(join(outside, "secret"), "utf8")).toBe("untouched");
    });
  }

  it("refuses a directory that is a link out of the root", async () => {
    symlinkSync(outside, join(root, "link"));
    await expect(files.write("link/secret", "stolen", 0o644)).rejects.toThrow(RefusedPathError);
    await expect(files.remove("link/secret")).rejects.toThrow(RefusedPathError);
    expect(readFileSync(join(outside, "secret"), "utf8")).toBe("untouched");
  });

  it("refuses a directory that is a link inside the root too", async () => {
    mkdirSync(join(root, "real"));
    symlinkSync("real", join(root, "link"));
    await expect(files.write("link/f", "x", 0o644)).rejects.toThrow(RefusedPathError);
  });

  it("neither writes nor reads through a link in the file's place, and removes only the link", async () => {
    symlinkSync(join(outside, "secret"), join(root, "f"));
    await expect(files.write("f", "untouched", 0o644)).rejects.toThrow(RefusedPathError);
    await files.remove("f");
    expect(lstatSync(join(root, "f"), { throwIfNoEntry: false })).toBeUndefined();
    expect(readFileSync(join(outside, "secret"), "utf8")).toBe("untouched");
  });

  it("leaves a directory in the file's place alone", async () => {
    mkdirSync(join(root, "f"));
    await expect(files.write("f", "x", 0o644)).rejects.toThrow(RefusedPathError);
  });
});
