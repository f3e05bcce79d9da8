import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * A text that tells a running process from a later one with the same number, or undefined when `pid` does not run.
 *
 * Process numbers are reused, in containers within seconds, so a stored number alone must never be trusted, let alone
 * killed. A zombie counts as gone.
 */
export function identifyProcess(pid: number): string | undefined {
  if (process.platform !== "linux") return ps("lstart=", pid);
  const stat = readProc(pid, "stat");
  if (stat === undefined) return undefined;
  // The second field is the program's name and may itself hold spaces and parentheses: the fixed fields follow it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields[0], fields[19]];
  if (state === "Z" || state === "X") return undefined;
  // Ticks count from boot; the boot id keeps a process of an earlier boot apart.
  return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}:${startTicks}`;
}

/** The command line of a running process, its arguments separated by spaces; undefined when `pid` does not run. */
export function commandLineOf(pid: number): string | undefined {
  if (process.platform !== "linux") return ps("command=", pid);
  return readProc(pid, "cmdline")?.replaceAll("\0", " ").trim();
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined; // gone, or never there
  }
}

function ps(column: string, pid: number): string | undefined {
  try {
    return execFileSync("ps", ["-o", column, "-p", String(pid)], { encoding: "utf8" }).trim() || undefined;
  } catch {
    return undefined; // ps answers 1 for a process that does not run
  }
}
