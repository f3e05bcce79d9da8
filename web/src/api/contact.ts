import type { Interceptor } from "@connectrpc/connect";
import { ApiError } from "../../../src/client/api-error.js";

/** Whether the server answers, as the calls of this page find out. */
export type Contact = "unknown" | "connected" | "away";

let contact: Contact = "unknown";
const listeners = new Set<() => void>();

/** For React's useSyncExternalStore: the listener is called when the contact changes. */
export function subscribeContact(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The contact now. */
export function getContact(): Contact {
  return contact;
}

function setContact(next: Contact): void {
  if (contact === next) return;
  contact = next;
  for (const listener of listeners) listener();
}

/**
 * Learns from every call whether the server is there: an answer says so, and an error that the server sent does too. Only
 * a call that got no answer at all says that it is away, unless this page gave the call up itself.
 */
export const observeContact: Interceptor = (next) => async (request) => {
  try {
    const answer = await next(request);
    setContact("connected");
    return answer.stream ? { ...answer, message: observeStream(answer.message, request.signal) } : answer;
  } catch (error) {
    observeError(error, request.signal);
    throw error;
  }
};

async function* observeStream<T>(messages: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    observeError(error, signal);
    throw error;
  }
}

function observeError(error: unknown, signal: AbortSignal): void {
  if (signal.aborted) return;
  setContact(ApiError.from(error).reason === "CONNECTION_LOST" ? "away" : "connected");
}
