import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { grpcFrame } from "../load/h2-load.js";

const FRAME_HEADER_BYTES = 5;
/** Streams of one connection. */
const STREAMS = 50;
/** Field numbers of etcd's rpc.proto and kv.proto. */
const FIELD = { createRequest: 1, key: 1, putValue: 2, events: 11, eventKv: 2, kvValue: 5 };
const KEY = Buffer.from("/bench/default/widget/a");

/** Watchers of one key of an etcd, and puts to it, over gRPC as its clients speak it. */
export class EtcdWatch {
  readonly #url: string;
  readonly #sessions: ClientHttp2Session[] = [];

  constructor(url: string) {
    this.#url = url;
  }

  /** Opens `count` watchers and resolves when all are answered. The first `probes` call `onValue`; the others only read. */
  async open(count: number, probes: number, onValue: (value: string) => void): Promise<void> {
    const create = new BinaryWriter()
      .uint32((FIELD.key << 3) | WireType.LengthDelimited)
      .bytes(KEY)
      .finish();
    const request = new BinaryWriter().uint32((FIELD.createRequest << 3) | WireType.LengthDelimited).bytes(create);
    const frame = grpcFrame(request.finish());
    await Promise.all(
      Array.from({ length: count }, (_, index) => {
        const session = index % STREAMS === 0 ? this.#connect() : this.#sessions.at(-1);
        const stream = open(session ?? this.#connect(), "Watch/Watch");
        stream.write(frame);
        if (index < probes) readFrames(stream, (message) => valuesOf(message).forEach(onValue));
        else stream.resume();
        return new Promise<void>((resolve, reject) => {
          stream.once("error", reject);
          stream.once("response", () => resolve());
        });
      }),
    );
    this.#connect();
  }

  /** Resolves when etcd has answered, so when the value is on its disk. */
  async put(value: string): Promise<void> {
    const tag = (field: number) => (field << 3) | WireType.LengthDelimited;
    const message = new BinaryWriter().uint32(tag(FIELD.key)).bytes(KEY).uint32(tag(FIELD.putValue)).string(value);
    const session = this.#sessions.at(-1);
    if (session === undefined) throw new Error("put before open");
    const stream = open(session, "KV/Put");
    stream.end(grpcFrame(message.finish()));
    let status: unknown;
    stream.once("trailers", (trailers) => {
      status = trailers["grpc-status"];
    });
    await stream.resume().toArray();
    if (status !== "0") throw new Error(`etcd answered a put with grpc-status ${String(status)}`);
  }

  close(): void {
    for (const session of this.#sessions) session.destroy();
  }

  #connect(): ClientHttp2Session {
    const session = connect(this.#url);
    session.on("error", () => {}); // Each of its streams says so too.
    this.#sessions.push(session);
    return session;
  }
}

function open(session: ClientHttp2Session, method: string): ClientHttp2Stream {
  return session.request({
    ":method": "POST",
    ":path": `/etcdserverpb.${method}`,
    "content-type": "application/grpc",
    te: "trailers",
  });
}

function readFrames(stream: ClientHttp2Stream, onMessage: (message: Buffer) => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    while (bytes.length >= FRAME_HEADER_BYTES) {
      const end = FRAME_HEADER_BYTES + bytes.readUInt32BE(1);
      if (bytes.length < end) return;
      onMessage(bytes.subarray(FRAME_HEADER_BYTES, end));
      bytes = bytes.subarray(end);
    }
  });
}

/** The values in the events of a WatchResponse. */
function valuesOf(response: Uint8Array): string[] {
  return fieldsOf(response, FIELD.events)
    .flatMap((event) => fieldsOf(event, FIELD.eventKv))
    .flatMap((kv) => fieldsOf(kv, FIELD.kvValue))
    .map((value) => Buffer.from(value).toString("utf8"));
}

function fieldsOf(message: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(message);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === wanted && type === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(type, field);
  }
  return found;
}
