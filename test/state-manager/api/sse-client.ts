/** Reads Server-Sent Events as the HTML standard parses them, for tests. */

export interface SseEvent {
  readonly type: string;
  /** The id in force after this event, as `lastEventId` of an EventSource. */
  readonly lastEventId: string;
  readonly hasId: boolean;
  readonly data: Record<string, unknown>;
  readonly raw: string;
}

export interface SseStream extends AsyncIterable<SseEvent> {
  readonly status: number;
  readonly headers: Headers;
  /** The next event that is no BOOKMARK. */
  next(): Promise<SseEvent>;
  /** Cuts the connection. */
  close(): void;
}

/** Opens a stream; a status other than 200 is the caller's to look at. */
export async function openSse(url: string, lastEventId?: string): Promise<SseStream> {
  const cut = new AbortController();
  const headers: Record<string, string> = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
  const response = await fetch(url, { headers, signal: cut.signal });
  const events = parse(response);
  return {
    status: response.status,
    headers: response.headers,
    close: () => cut.abort(),
    async next() {
      for (;;) {
        const { value, done } = await events.next();
        if (done) throw new Error("the stream ended");
        if (value.type !== "BOOKMARK") return value;
      }
    },
    [Symbol.asyncIterator]: () => events,
  };
}

async function* parse(response: Response): AsyncGenerator<SseEvent, void, undefined> {
  let lastEventId = "";
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      const raw = text.slice(0, end);
      text = text.slice(end + 2);
      const lines = raw
        .split(/\r\n|\r|\n/)
        .map((line) => [line.split(":", 1)[0], line.slice(line.indexOf(":") + 1).trimStart()]);
      const fields = Object.fromEntries(lines) as Record<string, string>;
      if (fields.id !== undefined) lastEventId = fields.id;
      if (fields.data === undefined) continue;
      if (lines.filter(([name]) => name === "data").length > 1) throw new Error(`more than one line of data in ${raw}`);
      yield {
        type: fields.event ?? "message",
        lastEventId,
        hasId: fields.id !== undefined,
        data: JSON.parse(fields.data),
        raw,
      };
    }
  }
}
