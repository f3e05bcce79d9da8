"""Runs a coroutine in an event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

_LAST_WAIT = 1.0


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Like asyncio.run, except that a task that ignores its cancellation delays the end by a second, not for ever."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=_LAST_WAIT))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
