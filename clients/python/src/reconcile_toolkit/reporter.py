"""Sends the reports of one session."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ._gen.reconcile.v1 import reconciler_service_pb2 as pb
from .connection import Connection, call
from .errors import ApiError
from .held_lease import HeldLease
from .reports import failed
from .session import Session
from .timing import pause, retry_delay, unless

_MAX_REPORTS = 1000
_MAX_BYTES = 2 << 20
"""Of one call, and of one report: what it says has to fit a resource, which is 1 MiB at most."""
_TIMEOUT = 10.0


@dataclass(frozen=True)
class _Waiting:
    lease: HeldLease
    report: pb.PassReport
    size: int
    answered: asyncio.Future[pb.ReportResult | None]


class Reporter:
    """All reports that are ready in one tick go in one call, one call at a time.

    A call that went unanswered is sent again unchanged: the server answers STALE to what it has stored already, because
    a token is good for one report (I8). A call that is refused is halved until the report to blame stands alone.
    Reports of lost leases are dropped.
    """

    def __init__(self, connection: Connection, session: Session) -> None:
        self._api = connection.reconcilers
        self._session = session
        self._waiting: list[_Waiting] = []
        self._sender: asyncio.Task[None] | None = None

    async def report(self, lease: HeldLease, report: pb.PassReport) -> None:
        """Returns when it has been answered or dropped."""
        lease.settle()
        result = await self._submit(lease, report)
        if result is not None and result.outcome == pb.REPORT_OUTCOME_INVALID:
            self._session.log.error("a report was refused: %s", result.message)
            error = failed(lease.item, f"the report was refused: {result.message}")
            result = await self._submit(lease, error)
        if result is not None and result.outcome != pb.REPORT_OUTCOME_ACCEPTED:
            self._session.log.info("a report changed nothing: %s", result.message)

    async def _submit(self, lease: HeldLease, report: pb.PassReport) -> pb.ReportResult | None:
        size = report.ByteSize()
        if size > _MAX_BYTES:
            # Not sent to be refused: a server may close the connection, and that looks as if it were away.
            return _invalid(f"it must be at most {_MAX_BYTES} bytes (got {size})")
        answered: asyncio.Future[pb.ReportResult | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(lease, report, size, answered))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.ensure_future(self._send_all())
        return await answered

    async def _send_all(self) -> None:
        while self._waiting:
            batch = self._take_batch()
            try:
                await self._send(batch)
            finally:
                for waiting in batch:
                    if not waiting.answered.done():
                        waiting.answered.set_result(None)

    def _take_batch(self) -> list[_Waiting]:
        size, count = 0, 0
        for waiting in self._waiting[:_MAX_REPORTS]:
            size += waiting.size
            if count > 0 and size > _MAX_BYTES:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    async def _send(self, batch: list[_Waiting]) -> None:
        failures = 0
        while not self._session.ended.is_set:
            wanted = [waiting for waiting in batch if not waiting.lease.is_lost]
            if not wanted:
                return
            request = pb.ReportRequest(session_id=self._session.id, reports=[waiting.report for waiting in wanted])
            try:
                answer = await unless(call(self._api.Report, request, _TIMEOUT), self._session.ended)
            except ApiError as error:
                self._session.end_if_unknown(error)
                if error.may_pass:
                    failures += 1
                    await pause(retry_delay(failures), self._session.ended)
                    continue
                if len(wanted) == 1:
                    wanted[0].answered.set_result(_invalid(str(error)))
                    return
                half = (len(wanted) + 1) // 2
                await self._send(wanted[:half])
                await self._send(wanted[half:])
                return
            for waiting, result in zip(wanted, answer.results if answer else (), strict=False):
                waiting.answered.set_result(result)
            return


def _invalid(message: str) -> pb.ReportResult:
    return pb.ReportResult(outcome=pb.REPORT_OUTCOME_INVALID, message=message)
