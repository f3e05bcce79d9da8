"""What a pass is given."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from ._gen.reconcile.v1 import reconciler_service_pb2 as pb
from .changes import Changes
from .client import ResourceClient
from .held_lease import HeldLease
from .resource import read_resource
from .session import Session

T = TypeVar("T")
_MAX_MESSAGE, _MAX_CHECKPOINT = 1024, 64 << 10


class Context(Changes):
    """One pass over one resource."""

    def __init__(self, lease: HeldLease, session: Session, client: ResourceClient) -> None:
        super().__init__()
        item = lease.item
        self.resource = read_resource(item.resource)
        """As it was after the lease was taken."""
        self.attempt = item.attempt
        """1 for the first pass since the last success."""
        self.reason = _reason_of(item)
        """Why it is due, a WorkReason of the API such as `SPEC_CHANGED`; `UNSPECIFIED` for one not known here."""
        self.message = item.message
        """Words given with enqueue, or the last error."""
        self.checkpoint = item.checkpoint
        """What an earlier pass saved since the last success; empty when none did."""
        self.progress = item.progress
        """The words it sent with that."""
        self.is_solo = item.is_solo
        """True when workers died holding this resource: this one gets nothing else meanwhile."""
        self.client = client
        """Reads and writes other resources."""
        self.cancelled = threading.Event()
        """Set when the pass is to stop. For functions in threads; a coroutine is cancelled in the way of asyncio."""
        self._lease, self._session = lease, session
        self._loop = asyncio.get_running_loop()

    @property
    def is_deleting(self) -> bool:
        """Whether its deletion was requested: clean up, and return done() when nothing is left."""
        return self.resource.is_deleting

    def save_progress(self, message: str = "", checkpoint: bytes | None = None) -> None:
        """Tells people how far the pass is, and the next pass where to go on when this one does not succeed.

        An empty message or no checkpoint leaves what was saved before. Sent soon, not at once; may be called often.
        Raises ValueError for a checkpoint over 64 KiB; messages are cut after 1,024 characters.
        """
        if checkpoint is not None and len(checkpoint) > _MAX_CHECKPOINT:
            raise ValueError(f"a checkpoint must be at most {_MAX_CHECKPOINT} bytes (got {len(checkpoint)})")
        saved = (self._lease, message[:_MAX_MESSAGE], checkpoint)
        self._loop.call_soon_threadsafe(self._session.save_progress, *saved)

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine, such as a call of `client`, from a function in a thread and returns its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _reason_of(item: pb.LeasedItem) -> str:
    try:
        return pb.WorkReason.Name(item.reason).removeprefix("WORK_REASON_")
    except ValueError:  # of a server that knows more
        return "UNSPECIFIED"
