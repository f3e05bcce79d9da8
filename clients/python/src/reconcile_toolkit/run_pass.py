"""One pass, from its lease to its report."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from ._gen.reconcile.v1 import reconciler_service_pb2 as pb
from .client import ResourceClient
from .context import Context
from .errors import TerminalError
from .failure import FailureLog, describe_value
from .held_lease import HeldLease, LeaseEnd
from .reconciler import Reconciler
from .reports import failed, failed_for_good, finished, released
from .result import Result
from .session import Session
from .timing import first_of

_log = logging.getLogger(__name__)
_failures = FailureLog(_log)
_abandoned: set[asyncio.Future[Any]] = set()


@dataclass(frozen=True)
class _Failure:
    error: BaseException


async def run_pass(
    reconciler: Reconciler, lease: HeldLease, session: Session, client: ResourceClient
) -> pb.PassReport | None:
    """Its report; None when the lease was lost and nobody wants one.

    Always ends soon after the lease does, whatever the reconciler does: one that ignores its cancellation keeps neither
    the slot nor the resource (I11). Only one that blocks the event loop cannot be stopped from inside.
    """
    if lease.end is not None:
        return released(lease.item) if lease.end is LeaseEnd.SHUTDOWN else None
    context = Context(lease, session, client)
    outcome = await _outcome(reconciler, context, lease)
    if lease.end is None and not session.is_trusted:  # the process was stopped for longer than its timers
        lease.abort(LeaseEnd.LOST, "the server has not answered a renewal in time")
    report = _report(reconciler, context, lease, outcome)
    if report is not None and report.result != pb.PASS_RESULT_SUCCESS:
        await session.flush_progress(lease)
    return None if lease.is_lost else report


async def _outcome(reconciler: Reconciler, context: Context, lease: HeldLease) -> object:
    work = _start(reconciler, context)
    try:
        await first_of(work, lease.ended.future)
    finally:
        if not work.done():
            context.cancelled.set()
            if isinstance(work, asyncio.Task):
                work.cancel()
    if not work.done():
        await first_of(work, timeout=lease.cancel_grace)
    if not work.done():
        _log.warning("%s ignores its cancellation and is left alone: %s", reconciler.name, context.resource.key)
        _abandoned.add(work)
        work.add_done_callback(_abandoned.discard)
        return None
    return _Failure(RuntimeError("the pass cancelled itself")) if work.cancelled() else work.result()


def _report(reconciler: Reconciler, context: Context, lease: HeldLease, outcome: object) -> pb.PassReport | None:
    item, key = lease.item, context.resource.key
    if lease.end is LeaseEnd.LOST:
        _log.warning("%s: pass over %s stopped, its lease is lost: %s", reconciler.name, key, lease.why)
        return None
    if lease.end is LeaseEnd.SHUTDOWN:
        return released(item)
    if lease.end is LeaseEnd.DEADLINE:
        _log.warning("%s: pass over %s stopped: %s", reconciler.name, key, lease.why)
        return failed(item, lease.why, context)
    if isinstance(outcome, Result):
        try:
            return finished(item, context, outcome)
        except (TypeError, ValueError, RecursionError) as problem:
            outcome = _Failure(problem)
    if not isinstance(outcome, _Failure):
        outcome = _Failure(TypeError(f"a pass must return done() or requeue_after(), {_not(outcome)}"))
    error = outcome.error
    if isinstance(error, TerminalError) and not context.is_deleting:
        _log.warning("%s: pass over %s failed for good: %s", reconciler.name, key, error)
        return failed_for_good(item, context, error)
    _failures.warn(reconciler.name, context.attempt, key, error)
    return failed(item, error, context)


def _not(outcome: object) -> str:
    if outcome is None:
        return "not None: is a return missing?"
    if inspect.iscoroutine(outcome):
        outcome.close()  # or Python says later, and elsewhere, that nobody awaited it
        return "not a coroutine: define the reconciler with async def"
    return f"not {describe_value(outcome)}"


def _start(reconciler: Reconciler, context: Context) -> asyncio.Future[object]:
    function: Any = reconciler.reconcile
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004
        return asyncio.ensure_future(_guarded(function, context))
    return _in_thread(function, context)


async def _guarded(function: Any, context: Context) -> object:
    """Nothing escapes: SystemExit in a task would end the whole event loop."""
    try:
        return cast(object, await function(context))
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return _Failure(error)


def _in_thread(function: Any, context: Context) -> asyncio.Future[object]:
    """In a daemon thread of its own: one that never ends blocks neither a pool nor the end of the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[object] = loop.create_future()
    variables = contextvars.copy_context()

    def settle(outcome: object) -> None:
        if not future.done():
            future.set_result(outcome)

    def body() -> None:
        try:
            outcome: object = variables.run(function, context)
        except BaseException as error:
            outcome = _Failure(error)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=body, name=f"pass-{context.resource.key.name}", daemon=True).start()
    return future
