"""The life of a worker."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from pathlib import Path

import grpc
import pytest

from reconcile_toolkit import ApiError, Context, Result, Worker, done
from reconcile_toolkit._gen.reconcile.v1 import reconciler_service_pb2 as pb
from reconcile_toolkit.reconciler import Reconciler

from .conftest import Start
from .fake_server import FakeServer

CONFORMANCE_WORKER = Path(__file__).parent.parent / "conformance_worker.py"


async def finish(_: Context) -> Result:
    return done()


async def test_registers_its_options(server: FakeServer, start: Start) -> None:
    start(
        finish,
        concurrency=3,
        finalizer="f",
        shards=["s"],
        pass_deadline=1.5,
        lease_duration=10,
        backoff=(0.005, 60),
        resync_period=90,
        passes_per_second=2.5,
        burst=4,
        kind_concurrency=7,
    )
    await server.until(lambda: server.of(pb.LeaseRequest), "a lease call")
    (request,) = server.of(pb.RegisterRequest)
    assert (request.name, request.language, list(request.shard_ids)) == ("tester", "python", ["s"])
    assert [(kind.resource_group, kind.kind) for kind in request.kinds] == [("demo", "thing")]
    assert (request.concurrency, request.finalizer) == (3, "f")
    assert request.pass_deadline.ToMilliseconds() == 1500
    assert request.lease_duration.ToSeconds() == 10
    assert (request.backoff_base.ToMilliseconds(), request.backoff_max.ToSeconds()) == (5, 60)
    assert request.resync_period.ToSeconds() == 90
    assert (request.passes_per_second, request.burst, request.kind_concurrency) == (2.5, 4, 7)


async def test_gives_each_of_several_reconcilers_an_instance_of_its_own(server: FakeServer) -> None:
    worker = Worker(server.url, name="tester", instance_id="me")
    worker.reconciler("demo", "a")(finish)
    worker.reconciler("demo", "b")(finish)
    worker.reconciler("demo", "c", name="other")(finish)
    serving = asyncio.ensure_future(worker.serve())
    await server.until(lambda: len(server.of(pb.RegisterRequest)) == 3, "three registrations")
    found = {(request.name, request.instance_id) for request in server.of(pb.RegisterRequest)}
    assert found == {("tester", "me/demo/a"), ("tester", "me/demo/b"), ("other", "me")}
    worker.stop()
    await serving


async def test_drains_releases_and_deregisters(server: FakeServer, start: Start) -> None:
    opened, entered = asyncio.Event(), 0

    async def reconcile(ctx: Context) -> Result:
        nonlocal entered
        entered += 1
        try:
            await (opened.wait() if ctx.resource.key.name == "quick" else asyncio.sleep(60))
        except asyncio.CancelledError:
            ctx.save_progress("stopped", b"here")
            raise
        return done()

    server.give("quick")
    server.give("slow")
    worker = start(reconcile, grace=0.5)
    await server.until(lambda: entered == 2, "two passes")
    worker.stop()
    server.give("too late")
    opened.set()
    await server.until(lambda: server.of(pb.DeregisterRequest), "the end of the session")
    results = {report.lease_token: report.result for report in server.reports}
    assert results == {"quick": pb.PASS_RESULT_SUCCESS, "slow": pb.PASS_RESULT_RELEASE}
    assert [p.checkpoint for renewal in server.of(pb.RenewRequest) for p in renewal.progress] == [b"here"]


async def test_stops_without_grace_when_it_is_cancelled(server: FakeServer) -> None:
    entered = asyncio.Event()

    async def reconcile(_: Context) -> Result:
        entered.set()
        await asyncio.sleep(60)
        return done()

    server.give("one")
    worker = Worker(server.url, name="tester", grace=60)
    worker.reconciler("demo", "thing")(reconcile)
    serving = asyncio.ensure_future(worker.serve())
    await entered.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(serving, 5)
    assert [report.result for report in server.reports] == [pb.PASS_RESULT_RELEASE]
    assert server.of(pb.DeregisterRequest)


async def test_waits_for_a_server_that_is_not_there_yet(server: FakeServer, start: Start) -> None:
    await server.stop()
    server.give("one")
    start(finish)
    await asyncio.sleep(0)
    await server.start()
    await server.until(lambda: server.reports, "the report")


async def test_waits_for_a_kind_that_is_taken(server: FakeServer, start: Start) -> None:
    server.fail("Register", 1, grpc.StatusCode.FAILED_PRECONDITION, "KIND_TAKEN")
    start(finish)
    await server.until(lambda: len(server.of(pb.RegisterRequest)) == 2, "a second try")


async def test_ends_when_its_registration_is_refused_for_good(server: FakeServer) -> None:
    server.fail("Register", 1, grpc.StatusCode.INVALID_ARGUMENT, "INVALID")
    worker = Worker(server.url, name="tester")
    worker.reconciler("demo", "thing")(finish)
    with pytest.raises(ApiError, match="INVALID_ARGUMENT: as the test says") as refused:
        await asyncio.wait_for(worker.serve(), 5)
    assert refused.value.reason == "INVALID"


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://a", "http://a/b", ""])
async def test_refuses_a_server_url_it_cannot_use(url: str) -> None:
    worker = Worker(url, name="tester")
    worker.reconciler("demo", "thing")(finish)
    with pytest.raises(ValueError, match="server_url must be like"):
        await worker.serve()


async def test_the_conformance_worker_ends_with_0_after_a_signal(server: FakeServer) -> None:
    server.give("one", {"action": "panic"})
    server.give("two", {"action": "sleep", "ms": 100})
    server.give("three", {"action": "checkpoint", "value": "abc", "ms": 60_000})
    environment = {**os.environ, "RECONCILE_SERVER": server.url, "RECONCILE_INSTANCE": "i"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CONFORMANCE_WORKER), env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    await server.until(lambda: len(server.reports) == 2, "two reports", 20)
    await server.until(lambda: server.of(pb.RenewRequest), "progress")
    process.send_signal(signal.SIGTERM)
    await server.until(lambda: server.waiting == 0, "no lease is asked for")
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 15) == 0
    results = {report.lease_token: report.result for report in server.reports}
    assert results["one"] == pb.PASS_RESULT_ERROR
    assert results["two"] == pb.PASS_RESULT_SUCCESS
    assert results["three"] == pb.PASS_RESULT_RELEASE
    assert server.of(pb.DeregisterRequest)


async def test_registers_with_growing_pauses(server: FakeServer, start: Start) -> None:
    server.fail("Register", 5, grpc.StatusCode.UNAVAILABLE)
    start(finish)
    await server.until(lambda: len(server.of(pb.RegisterRequest)) == 6, "six tries")
    times = [at for at, request in server.calls if isinstance(request, pb.RegisterRequest)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[0] < gaps[-1] / 3


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e12])
def test_says_which_option_is_no_time(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"^resync_period must be a number of seconds, not "):
        Reconciler(
            name="n", resource_group="g", kind="k", reconcile=lambda _: done(), resync_period=seconds
        ).registration("i")
