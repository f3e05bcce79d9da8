"""One registration while it lives: its leases, kept by renewals and trusted only as long as those are answered."""

from __future__ import annotations

import asyncio
import logging

from ._gen.reconcile.v1 import reconciler_service_pb2 as pb
from .connection import Connection, call
from .errors import ApiError
from .held_lease import HeldLease, LeaseEnd
from .timing import Latch, first_of, pause, retry_delay, unless

_TRUST_MARGIN = 1.0
"""Seconds. A holder stops trusting its leases this much before the server may give them away (I7)."""
_BUSY_SHARE, _IDLE_SHARE = 0.28, 0.45
"""Of the lease duration between renewals: a little more often than three times, or twice while no lease is held."""
_RENEW_TIMEOUT = 4.0
"""Seconds. Below the 5 s after which a renewal returns a lease it does not list: a late one must not arrive then."""
_PROGRESS_INTERVAL = 0.5
"""Seconds between renewals that are sent for progress alone."""
_PROGRESS_BYTES = 1 << 20
"""Of one renewal; the server takes 4 MiB."""


class Session:
    """It ends when the server does not know it any more, and its leases with it; the worker then registers again."""

    def __init__(
        self, connection: Connection, answer: pb.RegisterResponse, asked: pb.RegisterRequest, sent_at: float
    ) -> None:
        self.id = answer.session_id
        self.concurrency = answer.concurrency or asked.concurrency
        self.pass_deadline = _seconds(answer, "pass_deadline") or _seconds(asked, "pass_deadline") or 300.0
        self.ended = Latch()
        self.log = logging.LoggerAdapter(logging.getLogger(__name__), {"session": self.id})
        self._api = connection.reconcilers
        self._lease_duration = _seconds(answer, "lease_duration") or _seconds(asked, "lease_duration") or 30.0
        self._held: dict[str, HeldLease] = {}
        self._unsent: dict[str, HeldLease] = {}
        self._loop = asyncio.get_running_loop()
        self._sent_at = sent_at
        self._is_urgent = False
        self._wake, self._answered = Latch(), Latch()
        self._trust_timer: asyncio.TimerHandle | None = None
        self._trust_from(sent_at)

    @property
    def is_trusted(self) -> bool:
        """Whether the leases are certainly still this worker's."""
        return not self.ended.is_set and self._loop.time() < self._trusted_until

    def hold(self, item: pb.LeasedItem) -> HeldLease:
        """Takes a lease into the renewals; it is lost already when the session is not trusted."""
        lease = HeldLease(item, self.pass_deadline)
        self._held[lease.token] = lease
        if not self.is_trusted:
            lease.abort(LeaseEnd.LOST, "it arrived after renewals had gone unanswered")
        self._wake.set()
        return lease

    def let_go(self, lease: HeldLease) -> None:
        """Its report has been answered, or nobody wants one."""
        lease.settle()
        self._held.pop(lease.token, None)
        self._unsent.pop(lease.token, None)

    def save_progress(self, lease: HeldLease, message: str, checkpoint: bytes | None) -> None:
        """Goes with the next renewal, which comes soon."""
        if not lease.is_running or lease.is_lost:
            return
        old_message, old_checkpoint = lease.unsent or ("", None)
        lease.unsent = (message or old_message, old_checkpoint if checkpoint is None else checkpoint)
        self._unsent[lease.token] = lease
        self._wake.set()

    async def flush_progress(self, lease: HeldLease) -> None:
        """Sends what is unsent now, within the little time there is: a report ends the lease."""
        end = self._loop.time() + lease.flush_limit
        while lease.unsent is not None and not self.ended.is_set and not lease.is_lost and self._loop.time() < end:
            self._is_urgent = True
            self._wake.set()
            await first_of(self._answered.future, self.ended.future, timeout=end - self._loop.time())

    def release_running(self) -> None:
        """The worker stops: passes that still run give their resources back."""
        self._abort_running(LeaseEnd.SHUTDOWN, "the worker is stopping")

    def end(self, why: str) -> None:
        """Ends the session on this side; every lease is lost. Twice is safe."""
        if self._trust_timer is not None:
            self._trust_timer.cancel()
        for lease in self._held.values():
            lease.abort(LeaseEnd.LOST, why)
        self.ended.set()

    def end_if_unknown(self, error: ApiError) -> None:
        """Ends the session when `error` says that the server does not know it."""
        if error.reason == "SESSION_NOT_FOUND" and not self.ended.is_set:
            self.log.warning("the server ended session %s", self.id)
            self.end("the server ended the session")

    async def keep_renewed(self) -> None:
        """Renews until the session ends."""
        failures = 0
        while True:
            if failures == 0:
                await self._until_due()
            if self.ended.is_set:
                return
            self._sent_at = self._loop.time()
            request = self._renewal()
            timeout = min(self._lease_duration * _BUSY_SHARE, _RENEW_TIMEOUT)
            try:
                answer = await unless(call(self._api.Renew, request, timeout), self.ended)
            except ApiError as error:
                failures += 1
                self._note(error, request)
                await pause(min(retry_delay(failures), self._lease_duration * _BUSY_SHARE), self.ended)
                continue
            if answer is None:
                return
            failures = 0
            self._renewed(request, answer)

    async def _until_due(self) -> None:
        while not self.ended.is_set:
            share = _BUSY_SHARE if self._held else _IDLE_SHARE
            due = self._sent_at + self._lease_duration * share
            if self._unsent:
                due = min(due, self._sent_at + (0.0 if self._is_urgent else _PROGRESS_INTERVAL))
            now = self._loop.time()
            if due <= now:
                return
            self._wake = Latch()
            await pause(due - now, self._wake, self.ended)

    def _renewal(self) -> pb.RenewRequest:
        self._is_urgent = False
        request = pb.RenewRequest(session_id=self.id, lease_tokens=list(self._held))
        size = 0
        for lease in self._unsent.values():
            if lease.unsent is None:
                continue
            message, checkpoint = lease.unsent
            size += len(message) + len(checkpoint or b"")
            if size > _PROGRESS_BYTES:
                break
            request.progress.add(lease_token=lease.token, message=message, checkpoint=checkpoint)
        return request

    def _renewed(self, request: pb.RenewRequest, answer: pb.RenewResponse) -> None:
        self._trust_from(self._sent_at)
        for token in answer.lost_lease_tokens:
            if token in self._held:
                self._held[token].abort(LeaseEnd.LOST, "the server gave it away")
        self._sent(request)

    def _sent(self, request: pb.RenewRequest) -> None:
        """What was saved since then is still unsent."""
        for entry in request.progress:
            lease = self._unsent.get(entry.lease_token)
            checkpoint = entry.checkpoint if entry.HasField("checkpoint") else None
            if lease is not None and lease.unsent == (entry.message, checkpoint):
                lease.unsent = None
                del self._unsent[entry.lease_token]
        self._answered.set()
        self._answered = Latch()

    def _note(self, error: ApiError, request: pb.RenewRequest) -> None:
        self.end_if_unknown(error)
        if error.code == "INVALID_ARGUMENT" and request.progress:
            # Progress that is refused must not cost the leases.
            self.log.error("progress was refused: %s", error)
            self._sent(request)
        elif not self.ended.is_set:
            self.log.info("renewal failed: %s", error)

    def _trust_from(self, sent_at: float) -> None:
        """Counted from before the call was sent, so a slow answer cannot leave two holders (I7)."""
        if self.ended.is_set:
            return
        if self._trust_timer is not None:
            self._trust_timer.cancel()
        margin = min(_TRUST_MARGIN, self._lease_duration / 3)
        self._trusted_until = sent_at + self._lease_duration - margin
        self._trust_timer = self._loop.call_at(self._trusted_until, self._distrust)

    def _distrust(self) -> None:
        self.log.warning("the server has not answered a renewal in time: %d passes stop", len(self._held))
        self._abort_running(LeaseEnd.LOST, "the server has not answered a renewal in time")

    def _abort_running(self, end: LeaseEnd, why: str) -> None:
        # A pass that is over is only waiting for the answer to its report, which its token fences.
        for lease in self._held.values():
            if lease.is_running:
                lease.abort(end, why)


def _seconds(message: pb.RegisterRequest | pb.RegisterResponse, field: str) -> float | None:
    # None also for the zero of a server that does not know the field.
    return getattr(message, field).ToTimedelta().total_seconds() or None
