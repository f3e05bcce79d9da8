"""A lease while its pass runs or its report is on its way."""

from __future__ import annotations

import asyncio
from enum import Enum

from ._gen.reconcile.v1.reconciler_service_pb2 import LeasedItem
from .timing import Latch

_REPORT_MARGIN = 1.0
"""Seconds, never more than a tenth: a pass ends this much before its deadline, for the server to accept the report."""
_CANCEL_SHARE, _FLUSH_SHARE = 0.5, 0.4
"""Of that margin: for a pass to end after it was cancelled, and for its last progress to be sent."""


class LeaseEnd(Enum):
    """Why a pass is to stop."""

    LOST = "lost"
    """The lease is somebody else's now, or may be: nothing is reported."""
    DEADLINE = "deadline"
    """It took too long: reported as an error (I11)."""
    SHUTDOWN = "shutdown"
    """The worker stops: the resource goes back into the queue."""


class HeldLease:
    """`deadline` is how many seconds the pass may take, counted from now on this machine's clock."""

    def __init__(self, item: LeasedItem, deadline: float) -> None:
        self.item = item
        self.token = item.lease_token
        self.ended = Latch()
        self.end: LeaseEnd | None = None
        self.why = ""
        self.is_running = True
        self.unsent: tuple[str, bytes | None] | None = None
        """Progress that no renewal has carried yet."""
        margin = min(_REPORT_MARGIN, deadline / 10)
        self.cancel_grace = margin * _CANCEL_SHARE
        self.flush_limit = margin * _FLUSH_SHARE
        why = f"the pass took longer than its deadline of {deadline:g} s"
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(deadline - margin, lambda: self.abort(LeaseEnd.DEADLINE, why))

    @property
    def is_lost(self) -> bool:
        """Whether nothing may be done in its name any more."""
        return self.end is LeaseEnd.LOST

    def abort(self, end: LeaseEnd, why: str) -> None:
        """Stops the pass. The first reason counts, and that the lease is lost counts always."""
        if self.end is None or end is LeaseEnd.LOST:
            self.end, self.why = end, why
        self.ended.set()

    def settle(self) -> None:
        """The pass is over: its deadline no longer matters."""
        self.is_running = False
        self._timer.cancel()
