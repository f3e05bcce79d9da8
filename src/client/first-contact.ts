import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { ErrorDetailSchema } from "../../gen/reconcile/v1/error_pb.js";
import { connectFault, type ServerFault } from "./server-fault.js";

/** A first call that has no answer after this time is late: then it is looked who is there. */
const LATE_MS = 1_000;

/**
 * Until a state-manager has answered once, a call that fails or is late makes the client find out what is at the address, and
 * fail with that (`NO_SERVER`, `WRONG_SERVER`) instead of with what the transport made of it. A call that is answered costs nothing more.
 *
 * `waitsForServer`: while nothing is there a call is UNAVAILABLE, which callers try again; else it fails for good.
 */
export function firstContact(url: URL, { waitsForServer }: { readonly waitsForServer: boolean }): Interceptor {
  let hasAnswered = false;
  let looking: Promise<ServerFault | undefined> | undefined;
  const look = () => {
    looking ??= import("./find-fault.js") // rarely needed
      .then(({ findFault }) => findFault(url))
      .finally(() => (looking = undefined));
    return looking;
  };
  const failure = (fault: ServerFault, cause: unknown) => {
    const isFinal = fault.reason === "WRONG_SERVER" || !waitsForServer;
    const detail = { desc: ErrorDetailSchema, value: { reason: fault.reason } };
    const code = isFinal ? Code.FailedPrecondition : Code.Unavailable;
    return new ConnectError(fault.message, code, undefined, [detail], cause);
  };

  return (next) => async (request) => {
    if (hasAnswered) return await next(request).catch(throwInWords(url));
    const giveUp = new AbortController();
    const call = next({ ...request, signal: AbortSignal.any([request.signal, giveUp.signal]) });
    const late = lateness();
    try {
      if ((await Promise.race([call, late.promise])) === LATE) {
        const fault = await Promise.race([call.then(() => undefined), look()]);
        if (fault !== undefined && !hasAnswered) throw failure(fault, undefined);
      }
      const response = await call;
      hasAnswered = true;
      return response;
    } catch (error) {
      giveUp.abort();
      call.catch(() => {}); // its end was waited for no longer
      if (isFault(error)) throw error;
      if (reasonOf(error) !== undefined) hasAnswered = true;
      const isOver = hasAnswered || request.signal.aborted;
      const fault = isOver ? undefined : (connectFault(url, error) ?? (await untilAborted(look(), request.signal)));
      if (fault !== undefined) throw failure(fault, error);
      return throwInWords(url)(error);
    } finally {
      late.cancel();
    }
  };
}

/** Undefined when `signal` aborts first: the time of the call is over. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const aborted = new Promise<undefined>((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
  return await Promise.race([promise, aborted]);
}

const LATE = Symbol("late");

function lateness() {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), LATE_MS);
  });
  return { promise, cancel: () => clearTimeout(timer) };
}

/** Undefined: the error is none of a state-manager. */
function reasonOf(error: unknown): string | undefined {
  return ConnectError.from(error).findDetails(ErrorDetailSchema)[0]?.reason;
}

function isFault(error: unknown): boolean {
  const reason = reasonOf(error);
  return reason === "NO_SERVER" || reason === "WRONG_SERVER";
}

/** What is between the client and the server may answer with a status alone. */
function throwInWords({ host }: URL): (error: unknown) => never {
  return (error) => {
    const { rawMessage, code, metadata, details } = ConnectError.from(error);
    if (rawMessage !== "") throw error;
    const inWords = new ConnectError(`${host} answered ${Code[code]} and no message`, code, metadata, undefined, error);
    inWords.details = details;
    throw inWords;
  };
}
