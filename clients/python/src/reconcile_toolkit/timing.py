"""Waiting that something can cut short, and the delays between tries."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

FIRST_DELAY = 0.05
"""Seconds. Well below the 500 ms after which the server takes the end of Attach for the end of the worker."""
LONGEST_DELAY = 4.0
LONGEST_TIMER = (2**31 - 1) / 1000
"""Seconds, 24.8 days: what every timer can wait for. gRPC ends a call at once whose deadline its clock cannot show."""


def timer_seconds(seconds: float) -> float:
    """A duration that comes from outside as one that a timer can wait for; infinite ones too."""
    return min(seconds, LONGEST_TIMER)


def retry_delay(failures: int) -> float:
    """Seconds to wait after this many failures in a row: doubling, with jitter, 4 s at most."""
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(failures - 1, 16)) * random.uniform(0.5, 1.0)


class Latch:
    """Goes off once. Unlike for an asyncio.Event, waiting for several of them takes no task each."""

    def __init__(self) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_set(self) -> bool:
        """Whether it went off."""
        return self.future.done()

    def set(self) -> None:
        """Twice is safe."""
        if not self.future.done():
            self.future.set_result(None)


async def pause(seconds: float, *latches: Latch) -> None:
    """Waits; ends early when one of the latches goes off."""
    if seconds > 0 and not any(latch.is_set for latch in latches):
        await first_of(*(latch.future for latch in latches), timeout=seconds)


async def first_of(*futures: asyncio.Future[Any], timeout: float | None = None) -> None:
    """Waits for the first of them, or for the time to pass. Cancels none."""
    if futures:
        await asyncio.wait(futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    elif timeout is not None:
        await asyncio.sleep(timeout)


async def unless(work: Coroutine[Any, Any, T], *latches: Latch) -> T | None:
    """What `work` returns; None, and `work` is cancelled, when a latch goes off first. Never loses a result it had."""
    task = asyncio.ensure_future(work)
    try:
        await first_of(task, *(latch.future for latch in latches))
    finally:
        if not task.done():
            task.cancel()
    await asyncio.wait({task})
    return None if task.cancelled() else task.result()
