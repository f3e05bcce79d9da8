import type { Change, Position } from "../../resource/change.js";
import type { ErrorReason } from "../../resource/errors.js";
import type { ResumeTokens } from "../watch/resume-token.js";
import type { WatchBatch, WatchEvent } from "../watch/watch.js";
import { getOrCreate } from "./get-or-create.js";
import { resourceJson } from "./resource-json.js";

/** An event about a resource. */
type ResourceEvent = Exclude<WatchEvent, { readonly type: "SYNCED" | "BOOKMARK" }>;

/**
 * Watch batches as Server-Sent Events: `event:`, `id:` and one line of `data:` each.
 *
 * An id is the resume token of the position after its event, not of the whole batch: a connection may be cut inside a batch,
 * and an EventSource goes on from the last id it saw, so it neither misses nor repeats an event (I3). Watchers of one filter
 * share a batch and so its bytes; watchers of other filters share the `data` of a change.
 */
export class SseFrames {
  readonly #tokens: ResumeTokens;
  readonly #batches = new WeakMap<WatchBatch, Buffer>();
  readonly #changes = new WeakMap<Change, Map<WatchEvent["type"], Buffer>>();

  constructor(tokens: ResumeTokens) {
    this.#tokens = tokens;
  }

  /** The bytes of a batch that starts at the position of `previousToken`; empty when that is not known. */
  batch(batch: WatchBatch, previousToken: string): Buffer {
    // Bytes without ids are for this watcher only: others may know where the batch starts.
    if (previousToken === "") return this.#encode(batch, "");
    return getOrCreate(this.#batches, batch, () => this.#encode(batch, previousToken));
  }

  #encode(batch: WatchBatch, previousToken: string): Buffer {
    const parts: Buffer[] = [];
    const ids = this.#ids(batch, previousToken);
    batch.events.forEach((event, i) => {
      const id = ids[i];
      parts.push(Buffer.from(`event: ${event.type}\n${id === undefined ? "" : `id: ${id}\n`}`), this.#data(event));
    });
    return Buffer.concat(parts);
  }

  #data(event: WatchEvent): Buffer {
    if (!("resource" in event)) return Buffer.from(`data: {"type":"${event.type}"}\n\n`);
    if (event.change === undefined) return eventData(event);
    const byType = getOrCreate(this.#changes, event.change, () => new Map<WatchEvent["type"], Buffer>());
    return getOrCreate(byType, event.type, () => eventData(event));
  }

  /**
   * The token after each event. Nothing before SYNCED has one: going on from there would skip what was not listed yet.
   *
   * With several logs the position after an event is the one before the batch, moved on in the logs of the events so far.
   */
  #ids(batch: WatchBatch, previousToken: string): readonly (string | undefined)[] {
    const { events, resumeToken } = batch;
    if (resumeToken === "") return [];
    const synced = events.findIndex(({ type }) => type === "SYNCED");
    const positions: (Position | undefined)[] = [
      ...this.#tokens.decode(previousToken === "" ? resumeToken : previousToken),
    ];
    if (previousToken === "") positions.fill(undefined);
    return events.map((event, i) => {
      if (i === events.length - 1) return resumeToken;
      if ("resource" in event && event.change !== undefined) positions[event.change.log] = event.change;
      const known = positions.filter((position) => position !== undefined);
      return i <= synced || known.length < positions.length ? undefined : this.#tokens.encode(known);
    });
  }
}

/**
 * Tells the client why the stream ends. With `forgetPosition` an empty id makes an EventSource forget its last one, so that
 * it starts over instead of asking for the impossible again.
 */
export function sseError(reason: ErrorReason | "INTERNAL", message: string, forgetPosition: boolean): string {
  return `event: ERROR\n${forgetPosition ? "id:\n" : ""}data: ${JSON.stringify({ reason, message })}\n\n`;
}

function eventData({ type, resource, revision, movedTo }: ResourceEvent): Buffer {
  const head = `{"type":"${type}","shard_id":${JSON.stringify(resource.shardId)},"revision":${revision}`;
  const moved = movedTo === null ? "" : `,"moved_to":${JSON.stringify(movedTo)}`;
  // A line break would end the field. Inside a valid JSON text it stands between tokens only, where a space does as well.
  return Buffer.from(`data: ${head},"resource":${resourceJson(resource).replace(/[\r\n]/g, " ")}${moved}}\n\n`);
}
