"""Leases work and runs it, never more at once than the session's concurrency."""

from __future__ import annotations

import asyncio
import logging

from ._gen.reconcile.v1 import reconciler_service_pb2 as pb
from .client import ResourceClient
from .connection import Connection, call
from .errors import ApiError
from .held_lease import HeldLease, LeaseEnd
from .reconciler import Reconciler
from .reporter import Reporter
from .run_pass import run_pass
from .session import Session
from .timing import Latch, pause, retry_delay, unless

_WAIT = 30
_TIMEOUT = _WAIT + 10.0
"""Seconds. The answer to a long poll that found nothing is on its way for a moment too."""
_LAST_REPORTS = 2.0
"""Seconds after the grace, for the reports that say RELEASE."""


class LeaseLoop:
    """The work of one session."""

    def __init__(
        self, connection: Connection, session: Session, reconciler: Reconciler, client: ResourceClient
    ) -> None:
        self._api = connection.reconcilers
        self._session = session
        self._reconciler = reconciler
        self._client = client
        self._reporter = Reporter(connection, session)
        self._running: set[asyncio.Task[None]] = set()
        self._freed = Latch()

    async def run(self, stopping: Latch) -> None:
        """Until the session ends or the worker stops; passes may still run then."""
        session, failures = self._session, 0
        while not (session.ended.is_set or stopping.is_set):
            free = session.concurrency - len(self._running)
            if free <= 0:
                self._freed = Latch()
                await pause(_WAIT, self._freed, session.ended, stopping)
                continue
            if not session.is_trusted:  # what would come now would be lost at once
                await pause(retry_delay(2), session.ended, stopping)
                continue
            request = pb.LeaseRequest(session_id=session.id, max_items=free)
            request.wait.FromSeconds(_WAIT)
            try:
                answer = await unless(call(self._api.Lease, request, _TIMEOUT), session.ended, stopping)
            except ApiError as error:
                failures += 1
                session.end_if_unknown(error)
                session.log.log(logging.INFO if error.may_pass else logging.WARNING, "lease call failed: %s", error)
                await pause(retry_delay(failures), session.ended, stopping)
                continue
            failures = 0
            for item in answer.items if answer is not None else ():
                self._begin(item, stopping)

    async def drain(self, grace: float, hurry: Latch) -> None:
        """Lets running passes go on for `grace` seconds, releases the rest, and waits until that is reported."""
        await self._all_done(grace, hurry)
        self._session.release_running()
        await self._all_done(_LAST_REPORTS)

    async def _all_done(self, seconds: float, *latches: Latch) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self._running and loop.time() < end and not any(latch.is_set for latch in latches):
            self._freed = Latch()
            await pause(end - loop.time(), self._freed, *latches)

    def _begin(self, item: pb.LeasedItem, stopping: Latch) -> None:
        lease = self._session.hold(item)
        if stopping.is_set:  # it came with the signal: not begun, but given back
            lease.abort(LeaseEnd.SHUTDOWN, "the worker is stopping")
        task = asyncio.ensure_future(self._pass(lease))
        self._running.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._freed.set()
        if not task.cancelled() and task.exception() is not None:
            # Not reported, so no renewal lists the lease and the server gives it to somebody else.
            self._session.log.error("a pass ended without a report", exc_info=task.exception())

    async def _pass(self, lease: HeldLease) -> None:
        try:
            report = await run_pass(self._reconciler, lease, self._session, self._client)
            if report is not None:
                await self._reporter.report(lease, report)
        finally:
            self._session.let_go(lease)
