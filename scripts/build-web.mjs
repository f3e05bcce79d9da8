// Builds the dashboard, web/, for browsers.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "vite";

/** Writes the pages into `outDir`, an absolute path. Rejects with what Vite says. */
export async function buildWeb(outDir) {
  process.env.NODE_ENV = "production"; // a test run says `test`, of which React makes its development version
  await build({ root: "web", build: { outDir }, logLevel: "warn" });
  compress(join(outDir, "assets"));
}

/** Once here, instead of for every visitor. */
function compress(directory) {
  for (const name of readdirSync(directory)) {
    const content = readFileSync(join(directory, name));
    writeFileSync(join(directory, `${name}.gz`), gzipSync(content, { level: 9 }));
    writeFileSync(join(directory, `${name}.br`), brotliCompressSync(content));
  }
}
