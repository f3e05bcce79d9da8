import { Agent, get, type IncomingMessage } from "node:http";

const FRAME_END = "\n\n";
const EVENT = Buffer.from("\nid: ");

/** Watchers over Server-Sent Events, a connection each. */
export class SseWatchers {
  /** What all of them received, bookmarks included. */
  events = 0;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  readonly #query: (index: number) => string;
  #opened = 0;

  /** `query`: what the watcher of that number, from 0, asks for; by default all see what is updated. */
  constructor(query: (index: number) => string = () => "resource_group=bench&kind=widget") {
    this.#query = query;
  }

  /**
   * Opens `count` of them and resolves when all are connected. The first `probes` call `onFrame` with every frame; the others only
   * count, because reading a hundred times over what one has read would slow down the machine under test.
   */
  async open(url: string, count: number, probes = 0, onFrame: (frame: string) => void = () => {}): Promise<void> {
    await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const stream = await this.#connect(`${url}/api/v1/watch?${this.#query(this.#opened++)}`);
        stream.on("error", () => {}); // Cut by `close`.
        if (index < probes) this.#read(stream, onFrame);
        else this.#count(stream);
      }),
    );
  }

  /** Cuts all connections. */
  close(): void {
    this.#agent.destroy();
  }

  #connect(url: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      get(url, { agent: this.#agent }, (response) => {
        if (response.statusCode === 200) resolve(response);
        else reject(new Error(`GET ${url} was answered with ${response.statusCode}`));
      }).once("error", reject);
    });
  }

  #read(stream: IncomingMessage, onFrame: (frame: string) => void): void {
    let text = "";
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      const frames = (text + chunk).split(FRAME_END);
      text = frames.pop() ?? "";
      this.events += frames.length;
      for (const frame of frames) onFrame(frame);
    });
  }

  /** A mark that two chunks share is found in the end of the first with the beginning of the second. */
  #count(stream: IncomingMessage): void {
    let end = Buffer.alloc(0);
    stream.on("data", (chunk: Buffer) => {
      this.events += countOf(EVENT, Buffer.concat([end, chunk.subarray(0, EVENT.length - 1)]));
      this.events += countOf(EVENT, chunk);
      end = Buffer.from(chunk.subarray(-EVENT.length + 1));
    });
  }
}

function countOf(mark: Buffer, bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + mark.length)) count++;
  return count;
}
