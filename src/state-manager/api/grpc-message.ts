import { encodeEnvelope, type UniversalServerResponse } from "@connectrpc/connect/protocol";
import { trailerFlag, trailerParse, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import type { RpcProtocol } from "./rpc-endpoint.js";

/**
 * The text of an error as `grpc-message` carries it: only `%` and bytes outside 0x20 to 0x7E are percent-encoded. Spaces at
 * both ends are, too, because HTTP drops them.
 */
export function encodeGrpcMessage(text: string): string {
  if (PLAIN.test(text)) return text;
  const bytes = [...Buffer.from(text, "utf8")];
  return bytes
    .map((byte, i) => {
      const isEnd = i === 0 || i === bytes.length - 1;
      const isPlain = byte >= SPACE && byte <= TILDE && byte !== PERCENT && !(byte === SPACE && isEnd);
      return isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}

/** Encodes the message of a trailer again that Connect has written with `encodeURIComponent`. */
export function correctTrailer(trailer: Headers): Headers {
  const message = trailer.get("grpc-message");
  if (message !== null) trailer.set("grpc-message", encodeGrpcMessage(decodeURIComponent(message)));
  return trailer;
}

/**
 * Corrects `grpc-message` in an answer of Connect, which encodes slashes and spaces, too. Clients that decode no more than they
 * must, as `@grpc/grpc-js` does, showed `g%2Fk default%2Fa does not exist`.
 */
export function withPlainMessage(response: UniversalServerResponse, protocol: RpcProtocol): UniversalServerResponse {
  const { trailer, body } = response;
  if (protocol === "grpc" && trailer !== undefined) {
    // A getter: Connect writes the trailer while the body is read, and its adapter asks for it after that.
    return Object.defineProperty({ ...response }, "trailer", { get: () => correctTrailer(trailer) });
  }
  if (protocol === "grpc-web" && body !== undefined) {
    return { ...response, body: { [Symbol.asyncIterator]: () => correctFrames(body[Symbol.asyncIterator]()) } };
  }
  return response;
}

/** gRPC-Web carries the trailer as its last frame; a chunk is a whole frame. */
function correctFrames(frames: AsyncIterator<Uint8Array>): AsyncIterator<Uint8Array> {
  const iterator: AsyncIterator<Uint8Array> = {
    async next() {
      const frame = await frames.next();
      if (frame.done || frame.value[0] !== trailerFlag) return frame;
      const trailer = correctTrailer(trailerParse(frame.value.subarray(FRAME_HEAD_BYTES)));
      return { done: false, value: encodeEnvelope(trailerFlag, trailerSerialize(trailer)) };
    },
  };
  // With these the adapter tells the handler that the client is gone.
  if (frames.throw !== undefined) iterator.throw = frames.throw.bind(frames);
  if (frames.return !== undefined) iterator.return = frames.return.bind(frames);
  return iterator;
}

/** What needs no encoding. */
const PLAIN = /^[\x21-\x24\x26-\x7e](?:[\x20-\x24\x26-\x7e]*[\x21-\x24\x26-\x7e])?$/;
const SPACE = 0x20;
const PERCENT = 0x25;
const TILDE = 0x7e;
/** Flags and length. */
const FRAME_HEAD_BYTES = 5;
