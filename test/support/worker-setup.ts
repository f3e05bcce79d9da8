// A worker ends with the run that started it: when that process is killed its tests would go on, unseen, with servers and
// processes of their own. (Not `process.exit`: vitest replaces it in workers.)
process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
