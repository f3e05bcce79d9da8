// A worker ends with the run that started it: when that process is killed its tests would go on, unseen, with servers and
// processes of their own. (Not `process.exit`: vitest replaces it in workers.) This runs before each file of the worker.
function endWithTheRun(): void {
  process.kill(process.pid, "SIGKILL");
}

if (!process.listeners("disconnect").some(({ name }) => name === endWithTheRun.name)) {
  process.once("disconnect", endWithTheRun);
}
