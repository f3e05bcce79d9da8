// Provides what the tests need besides npm packages: redis-server always, Chromium where CI is set. On Debian and Ubuntu it
// installs what is missing; elsewhere, or without the rights to, it names the tool and how to get it. Without Redis it
// fails, because those tests are not optional; without a browser the browser tests skip themselves by name.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";

const isCi = Boolean(process.env.CI);
const tools = [
  {
    name: "Redis",
    programs: ["redis-server"],
    packages: ["redis-server"],
    needed: "*.redis.test.ts and the scenarios",
    isRequired: true,
  },
  {
    name: "Chromium",
    programs: ["chromium", "chromium-browser", "google-chrome"],
    packages: ["chromium"],
    needed: "the browser tests",
    isRequired: false,
  },
];

const missing = tools.filter((tool) => !isInstalled(tool) && (tool.isRequired || isCi));
if (missing.length > 0) install(missing);
for (const tool of missing.filter((tool) => !isInstalled(tool))) {
  const what = `${tool.name} is missing: no ${tool.programs[0]} on PATH`;
  const how = `install it (Debian, Ubuntu: apt-get install ${tool.packages.join(" ")}; macOS: brew install ${tool.packages[0].replace("-server", "")})`;
  const effect = tool.isRequired ? `${tool.needed} cannot run without it` : `${tool.needed} are skipped`;
  console.error(`${what}; ${how}; ${effect}`);
  if (tool.isRequired) process.exitCode = 1;
}

function isInstalled({ programs }) {
  const places = (process.env.PATH ?? "").split(":");
  return programs.some((program) => places.some((place) => isExecutable(join(place, program))));
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // Not there, or not for us.
  }
}

/** With apt, as root, or in CI through a sudo that does not ask. What it cannot install is reported above. */
function install(tools) {
  const sudo = process.getuid?.() === 0 ? [] : isCi ? ["sudo", "-n"] : undefined;
  if (sudo === undefined || !existsSync("/usr/bin/apt-get")) return;
  const run = (...command) => {
    const [program, ...args] = [...sudo, "env", "DEBIAN_FRONTEND=noninteractive", ...command];
    return spawnSync(program, args, { stdio: ["ignore", "ignore", "inherit"] }).status === 0;
  };
  run("apt-get", "update", "-qq");
  for (const { packages } of tools) {
    console.log(`installing ${packages.join(" ")} for the tests`);
    const isInstalledNow = run("apt-get", "install", "-y", "-qq", "--no-install-recommends", ...packages);
    // Debian starts a service on Redis's usual port; the tests run their own.
    if (isInstalledNow && packages.includes("redis-server")) {
      if (existsSync("/run/systemd/system")) run("systemctl", "disable", "--now", "--quiet", "redis-server");
      else run("service", "redis-server", "stop");
    }
  }
}
