"""A network between worker and server that breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from reconcile_toolkit import Context, Result, Worker, done
from reconcile_toolkit._gen.reconcile.v1 import reconciler_service_pb2 as pb
from reconcile_toolkit.connection import Connection, call

from .fake_server import FakeServer
from .proxy import Proxy


@pytest_asyncio.fixture
async def proxy(server: FakeServer) -> AsyncIterator[Proxy]:
    between = Proxy(server.port)
    await between.start()
    yield between
    await between.stop()


async def test_repeats_a_report_whose_connection_broke_before_the_answer(server: FakeServer, proxy: Proxy) -> None:
    async def reconcile(_: Context) -> Result:
        return done()

    worker = Worker(proxy.url, name="tester", grace=0.1)
    worker.reconciler("demo", "thing")(reconcile)
    serving = asyncio.ensure_future(worker.serve())
    server.is_silent = True
    server.give("one")
    await server.until(lambda: server.reports, "the report arrives")
    server.is_silent = False
    proxy.cut()
    await server.until(lambda: len(server.reports) == 2, "the report arrives again")
    assert server.reports[0] == server.reports[1]
    await server.until(lambda: server.attached == 1, "attached again")
    assert len(server.of(pb.RegisterRequest)) == 1
    worker.stop()
    await serving


async def test_stops_its_passes_in_time_when_nothing_gets_through(server: FakeServer, proxy: Proxy) -> None:
    cancelled = asyncio.Event()

    async def reconcile(ctx: Context) -> Result:
        if ctx.resource.key.name == "one":
            try:
                await asyncio.sleep(60)
            finally:
                cancelled.set()
        return done()

    server.answer.lease_duration.FromSeconds(3)
    worker = Worker(proxy.url, name="tester", grace=0.1)
    worker.reconciler("demo", "thing")(reconcile)
    serving = asyncio.ensure_future(worker.serve())
    server.give("one")
    await server.until(lambda: any(r.lease_tokens for r in server.of(pb.RenewRequest)), "a renewal")
    proxy.freeze()
    last = server.calls[-1][0]
    await asyncio.wait_for(cancelled.wait(), 3)
    assert asyncio.get_running_loop().time() - last < 3
    proxy.thaw()
    renewals = len(server.of(pb.RenewRequest))
    await server.until(lambda: len(server.of(pb.RenewRequest)) > renewals + 1, "renewals again")
    server.give("two")
    await server.until(lambda: server.reports, "work goes on")
    assert [report.lease_token for report in server.reports] == ["two"]
    worker.stop()
    await serving


@pytest.mark.parametrize("timeout", [2147484, 1e12, float("inf")])
async def test_a_timeout_longer_than_a_timer_can_wait_does_not_end_the_call_at_once(
    server: FakeServer, timeout: float
) -> None:
    connection = Connection(server.url)
    try:
        answer = await call(connection.reconcilers.Register, pb.RegisterRequest(name="patient"), timeout)
    finally:
        await connection.close()
    assert answer.concurrency == 4
