import type { Question } from "../compare.js";
import { apply } from "./apply.js";
import { filters } from "./filters.js";
import { idle } from "./idle.js";
import { list } from "./list.js";
import { logs } from "./logs.js";
import { queue } from "./queue.js";
import { reaction } from "./reaction.js";
import { read } from "./read.js";
import { replicas } from "./replicas.js";
import { restart } from "./restart.js";
import { rpc } from "./rpc.js";
import { scale } from "./scale.js";
import { snapshot } from "./snapshot.js";
import { watch } from "./watch.js";
import { write } from "./write.js";

/** In the order in which they run: what the others rest on first. */
export const questions: readonly Question[] = [
  write,
  apply,
  logs,
  replicas,
  read,
  queue,
  reaction,
  watch,
  filters,
  list,
  rpc,
  idle,
  scale,
  restart,
  snapshot,
];
