"""What a user registers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from ._gen.reconcile.v1 import reconciler_service_pb2 as pb
from .context import Context
from .result import Result

Reconcile = Callable[[Context], Awaitable[Result]] | Callable[[Context], Result]
"""One pass. A coroutine function runs on the event loop, any other function in a thread of its own."""


@dataclass(frozen=True, kw_only=True)
class Reconciler:
    """One kind and who takes care of it. Times are seconds; None leaves a choice to the server."""

    name: str
    resource_group: str
    kind: str
    reconcile: Reconcile
    concurrency: int = 16
    finalizer: str = ""
    shards: tuple[str, ...] = ()
    pass_deadline: float | None = None
    lease_duration: float | None = None
    backoff_base: float | None = None
    backoff_max: float | None = None
    resync_period: float | None = None
    passes_per_second: float = 0
    burst: int = 0
    kind_concurrency: int = 0

    def registration(self, instance_id: str) -> pb.RegisterRequest:
        """What the server is told."""
        return pb.RegisterRequest(
            name=self.name,
            instance_id=instance_id,
            language="python",
            kinds=[pb.ReconciledKind(resource_group=self.resource_group, kind=self.kind)],
            shard_ids=self.shards,
            concurrency=self.concurrency,
            lease_duration=_duration("lease_duration", self.lease_duration),
            backoff_base=_duration("backoff_base", self.backoff_base),
            backoff_max=_duration("backoff_max", self.backoff_max),
            resync_period=_duration("resync_period", self.resync_period),
            pass_deadline=_duration("pass_deadline", self.pass_deadline),
            finalizer=self.finalizer,
            passes_per_second=self.passes_per_second,
            burst=self.burst,
            kind_concurrency=self.kind_concurrency,
        )


def _duration(field: str, seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    if not abs(seconds) < 1e11:  # what a Duration holds; the server says what it takes
        raise ValueError(f"{field} must be a number of seconds, not {seconds}")
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
