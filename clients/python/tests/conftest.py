from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest_asyncio

from reconcile_toolkit import Worker
from reconcile_toolkit.reconciler import Reconcile

from .fake_server import FakeServer

Start = Callable[..., Worker]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[FakeServer]:
    fake = FakeServer()  # type: ignore[abstract]  # calls no worker makes are left out
    await fake.start()
    yield fake
    await fake.stop()


@pytest_asyncio.fixture
async def start(server: FakeServer) -> AsyncIterator[Start]:
    """Starts a worker with one reconciler; it is stopped after the test, and must not have failed."""
    running: list[tuple[Worker, asyncio.Task[None]]] = []

    def start_worker(reconcile: Reconcile, *, grace: float = 0.2, **options: Any) -> Worker:
        worker = Worker(server.url, name="tester", grace=grace)
        worker.reconciler("demo", "thing", **options)(reconcile)
        running.append((worker, asyncio.ensure_future(worker.serve())))
        return worker

    yield start_worker
    for worker, serving in running:
        worker.stop()
        await asyncio.wait_for(serving, 10)
