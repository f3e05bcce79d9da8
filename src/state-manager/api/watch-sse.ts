import { DomainError, type ErrorReason, hasReason } from "../../resource/errors.js";
import type { WatchBatch, WatchRequest, WatchSource } from "../watch/watch.js";
import { type AnyRequest, type AnyResponse, headerOf, writeAndDrain } from "./http-exchange.js";
import type { CallError, Endpoint, Pipeline } from "./pipeline.js";
import { answerError } from "./rest-dialect.js";
import { decodeWatchQuery } from "./rest-queries.js";
import { type SseFrames, sseError } from "./sse-frames.js";

const ENDPOINT: Endpoint = { protocol: "rest", method: "watch", shape: "stream" };

const STREAM_HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // Tells nginx and what imitates it to pass every event on at once.
  "x-accel-buffering": "no",
};
/** Milliseconds an EventSource waits before it comes back. */
const RETRY = "retry: 1000\n\n";

/** The position cannot be served, now or later: the client has to start over. */
const LOST: readonly ErrorReason[] = ["COMPACTED", "LINEAGE_LOST", "FOREIGN_TOKEN", "MALFORMED_TOKEN"];
/** May pass: the client may come back with the same position. */
const PASSING: readonly ErrorReason[] = ["SHUTTING_DOWN", "STORE_UNAVAILABLE", "OVERLOADED"];

/**
 * `GET /api/v1/watch`: the watch as Server-Sent Events, for curl and browsers.
 *
 * An EventSource that reconnects sends `Last-Event-ID`; it then goes on there, whatever the URL says. It gives up for good
 * on any status but 200, so a position that is lost is told it inside the stream (`event: ERROR`), while a first request gets
 * a plain status.
 */
export class SseWatch {
  readonly #source: WatchSource;
  readonly #frames: SseFrames;
  readonly #pipeline: Pipeline;

  constructor(source: WatchSource, frames: SseFrames, pipeline: Pipeline) {
    this.#source = source;
    this.#frames = frames;
    this.#pipeline = pipeline;
  }

  /** Streams until the client leaves or the watch ends; never rejects. `search`: the query without its question mark. */
  async serve(request: AnyRequest, response: AnyResponse, search: string): Promise<void> {
    const lastEventId = headerOf(request.headers, "last-event-id");
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const caller = { requestId: headerOf(request.headers, "x-request-id"), signal: gone.signal };
    try {
      let previousToken = lastEventId ?? new URLSearchParams(search).get("resume_token") ?? "";
      const batches = this.#open(search, lastEventId, gone.signal);
      for await (const batch of this.#pipeline.stream(ENDPOINT, caller, batches)) {
        if (!response.headersSent) startStream(response);
        await writeAndDrain(response, this.#frames.batch(batch, previousToken), gone.signal);
        previousToken = batch.resumeToken;
      }
      response.end();
    } catch (error) {
      // The pipeline throws nothing else.
      if (!gone.signal.aborted) fail(response, error as CallError, lastEventId !== undefined);
    }
  }

  async *#open(search: string, lastEventId: string | undefined, signal: AbortSignal): AsyncGenerator<WatchBatch> {
    const asked = decodeWatchQuery(search);
    const request: WatchRequest =
      lastEventId === undefined ? asked : { ...asked, sendInitialState: false, resumeToken: lastEventId };
    yield* await this.#source.open(request, signal);
  }
}

function startStream(response: AnyResponse): void {
  response.writeHead(200, STREAM_HEADERS);
  response.write(RETRY);
}

function fail(response: AnyResponse, error: CallError, isReconnect: boolean): void {
  const reason = error instanceof DomainError ? error.reason : "INTERNAL";
  const isLost = hasReason(error, ...LOST);
  if (!response.headersSent) {
    if (!isReconnect || !(isLost || hasReason(error, ...PASSING))) {
      answerError(response, error);
      return;
    }
    startStream(response);
  }
  response.end(sseError(reason, error.message, isLost));
}
