import type { Question } from "../compare.js";
import { logs } from "./logs.js";
import { queue } from "./queue.js";
import { reaction } from "./reaction.js";
import { read } from "./read.js";
import { rpc } from "./rpc.js";
import { write } from "./write.js";

/** In the order in which they run. */
export const questions: readonly Question[] = [write, logs, read, queue, reaction, rpc];
