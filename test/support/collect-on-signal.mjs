// Preloaded into a server whose memory is measured: SIGUSR2 collects all garbage and says how many bytes it still holds.
process.on("SIGUSR2", () => {
  globalThis.gc();
  setImmediate(() => {
    // The first collection leaves finalizers and freed buffers to be worked off behind it; the second finds them done.
    globalThis.gc();
    const { heapUsed, external } = process.memoryUsage();
    process.stdout.write(`${JSON.stringify({ heldBytes: heapUsed + external })}\n`);
  });
});
