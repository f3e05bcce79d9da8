import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** `npm run build` puts the pages where the state-manager serves them from; `npx vite web` serves them while they are written. */
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  plugins: [react()],
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    target: "es2023",
    // The policy of the pages allows no data: scripts, and a few small files cost nothing on one connection.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.md" },
    // What the first look loads is measured by test/web/dashboard.pg.test.ts, as it travels.
    chunkSizeWarningLimit: 600,
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      // The Host stays as the browser wrote it: with another one than its Origin, a write looks as if another site caused it.
      "^/(api|reconcile\\.v1|health|metrics|docs|openapi\\.json)": {
        target: process.env.RECONCILE_SERVER ?? "http://127.0.0.1:8080",
        changeOrigin: false,
      },
    },
  },
});
