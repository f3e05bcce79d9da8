// Preloaded into a server whose memory is measured: SIGUSR2 collects all garbage, so that what is left is what it holds.
process.on("SIGUSR2", () => globalThis.gc());
