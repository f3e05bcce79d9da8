// Fails when a relative link in a Markdown file leads nowhere: to a missing file, or to a heading that does not exist.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

// What a commit would hold: committed or new, not ignored, not deleted.
const list = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], {
  encoding: "utf8",
});
const files = list.split("\n").filter((file) => file !== "" && existsSync(file));
const problems = files.flatMap(problemsIn);
for (const problem of problems) console.log(problem);
process.exitCode = problems.length === 0 ? 0 : 1;

function problemsIn(file) {
  const links = [...textOf(file).matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s+(\S+)/gm)];
  const targets = links.map(([, inline, reference]) => inline ?? reference);
  const relative = targets.filter((target) => !/^[a-z][a-z+.-]*:|^\/\//i.test(target));
  return relative.flatMap((target) => {
    const [path, anchor] = decodeURIComponent(target).split("#");
    const place = path === "" ? file : normalize(join(dirname(file), path));
    if (place.startsWith("..") || !existsSync(place)) return [`${file}: ${target}: no such file`];
    if (!anchor || statSync(place).isDirectory() || !place.endsWith(".md")) return [];
    return anchorsOf(place).has(anchor) ? [] : [`${file}: ${target}: no such heading`];
  });
}

/** The anchors GitHub gives to headings: lower case, punctuation dropped, spaces as hyphens, repeated ones numbered. */
function anchorsOf(file) {
  const text = textOf(file);
  const anchors = new Set([...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id]) => id));
  for (const [, heading] of text.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = words.replace(/[^\p{L}\p{N}\p{M}\s_-]/gu, "").replaceAll(" ", "-");
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The file without its code, in which brackets and number signs mean something else. */
function textOf(file) {
  const text = readFileSync(file, "utf8");
  return text
    .replace(/^( *)(```+|~~~+)[^\n]*\n[\s\S]*?^ *\2[^\n]*$/gm, "")
    .replace(/`[^`\n]+`/g, (code) => (code.includes("](") ? "" : code));
}
