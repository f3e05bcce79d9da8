/** An operator of an existing installation: it reads the stream of its shard as the original's client library does. */
import { Redis } from "ioredis";
import { groupOfStream } from "../../src/state-manager/compat/compat-entry.js";

/** One entry of a stream. */
export interface OperatorEntry {
  readonly id: string;
  readonly name: string;
  readonly type: string;
}

export class Operator {
  readonly stream: string;
  readonly seen: OperatorEntry[] = [];
  readonly #redis: Redis;
  readonly #handle: (entry: OperatorEntry) => Promise<void>;
  readonly #running: Promise<void>;
  #isStopped = false;

  /** `handle` rejects: the entry is not acknowledged. */
  constructor(options: { redisUrl: string; shard: string; handle?: (entry: OperatorEntry) => Promise<void> }) {
    this.stream = `${options.shard}_stream`;
    this.#handle = options.handle ?? (async () => {});
    this.#redis = new Redis(options.redisUrl, { maxRetriesPerRequest: null, retryStrategy: () => 20 });
    this.#redis.on("error", () => {});
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#redis.disconnect();
    await this.#running;
  }

  async #run(): Promise<void> {
    const group = groupOfStream(this.stream);
    // The group is made once, when it starts.
    await this.#redis.xgroup("CREATE", this.stream, group, "0", "MKSTREAM").catch(() => {});
    while (!this.#isStopped) {
      try {
        const reply = (await this.#redis.xreadgroup(
          ...(["GROUP", group, "consumer", "COUNT", 10, "BLOCK", 50, "STREAMS", this.stream, ">"] as const),
        )) as [string, [string, string[]][]][] | null;
        for (const [id, fields] of reply?.[0]?.[1] ?? []) void this.#take(group, id, fields);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  async #take(group: string, id: string, fields: readonly string[]): Promise<void> {
    const entry = { id, name: fields[7] ?? "", type: fields[9] ?? "" };
    this.seen.push(entry);
    try {
      await this.#handle(entry);
      await this.#redis.pipeline().xack(this.stream, group, id).xdel(this.stream, id).exec();
    } catch {
      // Not acknowledged.
    }
  }
}
