import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { PayloadEncoding } from "../../gen/reconcile/v1/resource_pb.js";
import { WatchResourcesRequestSchema } from "../../gen/reconcile/v1/resource_service_pb.js";
import { grpcFrame } from "./h2-load.js";

const FRAME_HEADER_BYTES = 5;
/** Streams of one connection. */
const STREAMS = 50;
/** Of a stream and of a connection: gRPC clients widen theirs as they go; Node's 64 KB for 50 streams would be what is measured. */
const WINDOW_BYTES = 4 * 1024 * 1024;
/** WatchResourcesResponse.events. */
const EVENTS_FIELD = 1;

/** Watchers over gRPC. They count events without decoding them: a decoding client would take more of the machine than the server. */
export class GrpcWatchers {
  events = 0;
  readonly #sessions: ClientHttp2Session[] = [];

  /** Opens `count` of them and resolves when all have been answered. */
  async open(url: string, count: number): Promise<void> {
    const filter = { resourceGroup: "bench", kind: "widget" };
    const request = create(WatchResourcesRequestSchema, { filter, payloadEncoding: PayloadEncoding.JSON });
    const frame = grpcFrame(toBinary(WatchResourcesRequestSchema, request));
    const opened = Array.from({ length: count }, (_, index) => {
      const session = index % STREAMS === 0 ? this.#connect(url) : this.#sessions.at(-1);
      return session === undefined ? undefined : this.#watch(session, frame);
    });
    await Promise.all(opened);
  }

  close(): void {
    for (const session of this.#sessions) session.destroy();
  }

  #connect(url: string): ClientHttp2Session {
    const session = connect(url, { settings: { initialWindowSize: WINDOW_BYTES } });
    session.once("connect", () => session.setLocalWindowSize(WINDOW_BYTES));
    session.on("error", () => {}); // Each of its streams says so too.
    this.#sessions.push(session);
    return session;
  }

  #watch(session: ClientHttp2Session, frame: Uint8Array): Promise<void> {
    const stream = session.request({
      ":method": "POST",
      ":path": "/reconcile.v1.ResourceService/WatchResources",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.end(frame);
    this.#count(stream);
    return new Promise((resolve, reject) => {
      stream.once("error", reject);
      stream.once("response", () => resolve());
    });
  }

  #count(stream: ClientHttp2Stream): void {
    let bytes: Buffer = Buffer.alloc(0);
    stream.on("data", (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      while (bytes.length >= FRAME_HEADER_BYTES) {
        const end = FRAME_HEADER_BYTES + bytes.readUInt32BE(1);
        if (bytes.length < end) return;
        this.events += eventsIn(bytes.subarray(FRAME_HEADER_BYTES, end));
        bytes = bytes.subarray(end);
      }
    });
  }
}

function eventsIn(message: Uint8Array): number {
  const reader = new BinaryReader(message);
  let events = 0;
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === EVENTS_FIELD) events++;
    reader.skip(type, field);
  }
  return events;
}
