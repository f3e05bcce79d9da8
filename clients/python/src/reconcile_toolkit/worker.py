"""The entry: a process that runs reconcilers."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterable
from typing import TypeVar

from ._gen.reconcile.v1 import reconciler_service_pb2 as pb
from .attachment import stay_attached
from .client import ResourceClient
from .connection import Connection, call
from .errors import ApiError
from .lease_loop import LeaseLoop
from .reconciler import Reconcile, Reconciler
from .registration import register, unique_instance_id
from .run_loop import run_loop
from .session import Session
from .timing import Latch

F = TypeVar("F", bound=Reconcile)
_log = logging.getLogger(__name__)
_DEREGISTER_TIMEOUT = 1.0


class Worker:
    """Runs reconcilers against a state-manager, which may come, go and come back at any time.

    `name` is that of its reconcilers: all workers of one name share the work of their kinds. `instance_id` tells them
    apart; by default every run is another. Give one that stays the same over restarts, and what a killed run held is
    due at once when the next one registers; two at a time under one id end each other's sessions. `grace` is how many
    seconds running passes get when the worker stops.
    """

    def __init__(self, server_url: str, *, name: str, instance_id: str | None = None, grace: float = 5.0) -> None:
        self._server_url = server_url
        self._name = name
        self._instance_id = instance_id or unique_instance_id()
        self._grace = grace
        self._reconcilers: list[Reconciler] = []
        self._is_stopped = False
        self._stopping: Latch | None = None
        self._hurry: Latch | None = None

    def reconciler(
        self,
        resource_group: str,
        kind: str,
        *,
        name: str | None = None,
        concurrency: int = 16,
        finalizer: str = "",
        shards: Iterable[str] = (),
        pass_deadline: float | None = None,
        lease_duration: float | None = None,
        backoff: tuple[float, float] | None = None,
        resync_period: float | None = None,
        passes_per_second: float = 0,
        burst: int = 0,
        kind_concurrency: int = 0,
    ) -> Callable[[F], F]:
        """Decorates the function that reconciles a kind. Times are seconds; what is left out, the server decides.

        concurrency: passes at once. finalizer: the server adds it before the first pass and removes it when a pass over
        the deleting resource succeeds. shards: only resources of these. pass_deadline: how long one pass may take
        [300]. lease_duration: how long the server waits for a silent worker [30]. backoff: first and longest delay
        after an error [0.005, 1000]. resync_period: every resource gets a pass at least this often [600].
        passes_per_second, burst: of this worker. kind_concurrency: passes at once over all workers. name: another one
        than the worker's.
        """

        def decorate(reconcile: F) -> F:
            backoff_base, backoff_max = backoff or (None, None)
            reconciler = Reconciler(
                name=name or self._name,
                resource_group=resource_group,
                kind=kind,
                reconcile=reconcile,
                concurrency=concurrency,
                finalizer=finalizer,
                shards=tuple(shards),
                pass_deadline=pass_deadline,
                lease_duration=lease_duration,
                backoff_base=backoff_base,
                backoff_max=backoff_max,
                resync_period=resync_period,
                passes_per_second=passes_per_second,
                burst=burst,
                kind_concurrency=kind_concurrency,
            )
            self._reconcilers.append(reconciler)
            return reconcile

        return decorate

    def run(self) -> None:
        """Runs until SIGINT or SIGTERM, then drains; a second signal ends the grace.

        Raises ApiError when the server refuses a registration for good.
        """
        run_loop(self._serve_until_signal())

    async def serve(self) -> None:
        """The same inside an event loop, until `stop`. Cancelling it stops without grace."""
        if self._stopping is not None:
            raise RuntimeError("a worker can serve once")
        if not self._reconcilers:
            raise RuntimeError("a worker needs a reconciler: decorate a function with @worker.reconciler(group, kind)")
        self._stopping, self._hurry = Latch(), Latch()
        if self._is_stopped:
            self._stopping.set()
        connection = Connection(self._server_url)
        client = ResourceClient(connection)
        runs = [asyncio.ensure_future(self._keep(reconciler, connection, client)) for reconciler in self._reconcilers]
        try:
            await asyncio.wait(runs, return_when=asyncio.FIRST_EXCEPTION)
        except asyncio.CancelledError:
            self._hurry.set()
            raise
        finally:
            self._stopping.set()
            await asyncio.wait(runs)
            await connection.close()
        for run in runs:
            run.result()

    def stop(self) -> None:
        """Leases nothing more and lets `serve` drain and return. Twice is safe. From the event loop's thread."""
        self._is_stopped = True
        if self._stopping is not None:
            self._stopping.set()

    async def _keep(self, reconciler: Reconciler, connection: Connection, client: ResourceClient) -> None:
        """Registers, and again whenever the session has ended, until the worker stops."""
        assert self._stopping is not None
        assert self._hurry is not None
        request = reconciler.registration(self._instance_of(reconciler))
        while not self._stopping.is_set:
            session = await register(connection, request, self._stopping)
            if session is None:
                return
            kept = asyncio.ensure_future(_keep_session(connection, session))
            loop = LeaseLoop(connection, session, reconciler, client)
            await loop.run(self._stopping)
            await loop.drain(self._grace, self._hurry)
            if not session.ended.is_set:
                session.end("the worker has stopped")
                await _deregister(connection, session)
            await kept

    def _instance_of(self, reconciler: Reconciler) -> str:
        """A second registration of a name and an instance would fence the first."""
        if sum(other.name == reconciler.name for other in self._reconcilers) == 1:
            return self._instance_id
        return f"{self._instance_id}/{reconciler.resource_group}/{reconciler.kind}"

    async def _serve_until_signal(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, self._on_signal)
            except NotImplementedError:  # Windows
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._on_signal))
        await self.serve()

    def _on_signal(self) -> None:
        if self._is_stopped and self._hurry is not None:
            self._hurry.set()
        self.stop()


async def _keep_session(connection: Connection, session: Session) -> None:
    try:
        await asyncio.gather(session.keep_renewed(), stay_attached(connection, session))
    finally:
        session.end("it is not kept any more")  # a failure in here ends the worker, instead of leaving it idle


async def _deregister(connection: Connection, session: Session) -> None:
    try:
        request = pb.DeregisterRequest(session_id=session.id)
        await call(connection.reconcilers.Deregister, request, _DEREGISTER_TIMEOUT)
    except ApiError as error:
        _log.info("not deregistered, the session ends by itself: %s", error)
