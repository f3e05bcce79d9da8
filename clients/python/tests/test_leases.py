"""Leases: how many, how they are kept, and how they are lost."""

from __future__ import annotations

import asyncio
import itertools

import grpc
import pytest

from reconcile_toolkit import Context, Result, done
from reconcile_toolkit._gen.reconcile.v1 import reconciler_service_pb2 as pb

from .conftest import Start
from .fake_server import FakeServer


class Gate:
    """A reconciler whose passes wait until the gate opens."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.entered: list[str] = []
        self.cancelled: list[str] = []

    async def reconcile(self, ctx: Context) -> Result:
        name = ctx.resource.key.name
        self.entered.append(name)
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
        return done()


async def test_never_holds_more_than_its_concurrency(server: FakeServer, start: Start) -> None:
    async def reconcile(_: Context) -> Result:
        await asyncio.sleep(0.002)
        return done()

    server.answer.concurrency = 3
    for number in range(40):
        server.give(f"thing-{number}")
    start(reconcile)
    await server.until(lambda: len(server.reports) == 40, "40 reports")
    assert server.most_held == 3
    assert len({report.lease_token for report in server.reports}) == 40


async def test_sends_what_is_ready_together_in_one_call(server: FakeServer, start: Start) -> None:
    gate = Gate()
    server.answer.concurrency = 16
    for number in range(16):
        server.give(f"thing-{number}")
    start(gate.reconcile)
    await server.until(lambda: len(gate.entered) == 16, "16 passes")
    gate.opened.set()
    await server.until(lambda: len(server.reports) == 16, "16 reports")
    assert len(server.of(pb.ReportRequest)) == 1


async def test_renews_three_times_per_lease_duration_and_lists_what_it_holds(server: FakeServer, start: Start) -> None:
    gate = Gate()
    server.answer.lease_duration.FromSeconds(1)
    server.give("one")
    server.give("two")
    start(gate.reconcile)
    await server.until(lambda: len(server.of(pb.RenewRequest)) >= 4, "renewals")
    times = [at for at, request in server.calls if isinstance(request, pb.RenewRequest)]
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise(times))
    assert gaps[1] < 1 / 3  # of three, so that one late timer is none of its business
    assert all(sorted(renewal.lease_tokens) == ["one", "two"] for renewal in server.of(pb.RenewRequest))
    gate.opened.set()
    await server.until(lambda: not server.of(pb.RenewRequest)[-1].lease_tokens, "a renewal that lists nothing")
    assert server.attached == 1


async def test_stops_a_pass_whose_lease_is_lost_and_reports_nothing(server: FakeServer, start: Start) -> None:
    gate = Gate()
    server.answer.lease_duration.FromSeconds(1)
    server.lost = ["one", "never heard of"]
    server.give("one")
    server.give("two")
    start(gate.reconcile)
    await server.until(lambda: gate.cancelled, "the pass is cancelled")
    gate.opened.set()
    await server.until(lambda: server.reports, "the other report")
    assert gate.cancelled == ["one"]
    assert [report.lease_token for report in server.reports] == ["two"]


async def test_distrusts_its_leases_when_renewals_go_unanswered(server: FakeServer, start: Start) -> None:
    gate = Gate()
    server.answer.lease_duration.FromMilliseconds(1500)
    server.fail("Renew", 1000, grpc.StatusCode.UNAVAILABLE)
    server.give("one")
    start(gate.reconcile)
    await server.until(lambda: gate.cancelled, "the pass is cancelled")
    registered, stopped = server.calls[0][0], asyncio.get_running_loop().time()
    assert 0.9 < stopped - registered < 1.5  # at 1 s: a third of the lease duration early
    server.failures.clear()
    asked = len(server.of(pb.RenewRequest))
    await server.until(lambda: len(server.of(pb.RenewRequest)) >= asked + 2, "an answered renewal")
    server.give("two")
    gate.opened.set()
    await server.until(lambda: server.reports, "work goes on once renewals are answered")
    assert [report.lease_token for report in server.reports] == ["two"]


@pytest.mark.parametrize("method", ["Renew", "Report", "Lease", "Attach"])
async def test_registers_again_when_its_session_is_unknown(server: FakeServer, start: Start, method: str) -> None:
    gate = Gate()
    server.answer.lease_duration.FromSeconds(1)
    server.fail(method, 1, grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")
    server.give("one")
    gate.opened.set()
    start(gate.reconcile)
    await server.until(lambda: len(server.of(pb.RegisterRequest)) == 2, "a second registration")
    assert server.of(pb.RegisterRequest)[0] == server.of(pb.RegisterRequest)[1]
    server.give("two")
    await server.until(lambda: "two" in [report.lease_token for report in server.reports], "work goes on")
    assert server.of(pb.ReportRequest)[-1].session_id == "session-2"
    await server.until(lambda: server.attached == 1, "only the new session is attached")


async def test_cancels_what_ran_in_a_session_that_ended(server: FakeServer, start: Start) -> None:
    gate = Gate()
    server.answer.lease_duration.FromSeconds(1)
    server.give("one")
    start(gate.reconcile)
    await server.until(lambda: gate.entered, "a pass")
    server.fail("Renew", 1, grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")
    await server.until(lambda: gate.cancelled, "the pass is cancelled")
    await server.until(lambda: len(server.of(pb.RegisterRequest)) == 2, "a second registration")
    assert not server.reports


async def test_survives_a_restart_of_the_server_without_losing_its_passes(server: FakeServer, start: Start) -> None:
    gate = Gate()
    server.give("one")
    start(gate.reconcile)
    await server.until(lambda: gate.entered, "a pass")
    await server.stop()
    await server.start()
    await server.until(lambda: server.attached == 1 and len(server.of(pb.AttachRequest)) > 1, "attached again")
    gate.opened.set()
    await server.until(lambda: server.reports, "the report")
    assert server.reports[0].result == pb.PASS_RESULT_SUCCESS
    assert len(server.of(pb.RegisterRequest)) == 1


async def test_backs_off_while_the_server_is_unavailable(server: FakeServer, start: Start) -> None:
    gate = Gate()
    gate.opened.set()
    server.fail("Lease", 6, grpc.StatusCode.UNAVAILABLE)
    server.give("one")
    start(gate.reconcile)
    await server.until(lambda: server.reports, "work after all")
    times = [at for at, request in server.calls if isinstance(request, pb.LeaseRequest)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)][:6]
    assert gaps[0] < gaps[-1] / 4
    assert sum(gaps) < 8


async def test_tells_progress_soon_and_not_at_every_word(server: FakeServer, start: Start) -> None:
    opened = asyncio.Event()

    async def reconcile(ctx: Context) -> Result:
        for number in range(100):
            ctx.save_progress(f"step {number}")
            await asyncio.sleep(0.005)
        ctx.save_progress(checkpoint=b"half")
        await opened.wait()
        return done()

    server.give("one")
    start(reconcile)
    await server.until(
        lambda: any(p.checkpoint for r in server.of(pb.RenewRequest) for p in r.progress), "a checkpoint"
    )
    sent = [p for renewal in server.of(pb.RenewRequest) for p in renewal.progress]
    assert len(sent) <= 4
    assert sent[-1].lease_token == "one"
    assert sent[-1].checkpoint == b"half"
    assert asyncio.get_running_loop().time() - server.calls[0][0] < 3
    opened.set()
    await server.until(lambda: server.reports, "the report")


async def test_saves_the_last_checkpoint_before_it_reports_a_failure(server: FakeServer, start: Start) -> None:
    async def reconcile(ctx: Context) -> Result:
        ctx.save_progress("first", b"1")
        ctx.save_progress("second")
        raise RuntimeError("boom")

    server.give("one")
    start(reconcile)
    await server.until(lambda: server.reports, "the report")
    (renewal,) = server.of(pb.RenewRequest)
    (progress,) = renewal.progress
    assert (progress.message, progress.checkpoint) == ("second", b"1")


async def test_refuses_a_checkpoint_that_is_too_large(server: FakeServer, start: Start) -> None:
    async def reconcile(ctx: Context) -> Result:
        ctx.save_progress(checkpoint=bytes((64 << 10) + 1))
        return done()

    server.give("one")
    start(reconcile)
    await server.until(lambda: server.reports, "the report")
    assert server.reports[0].error == "a checkpoint must be at most 65536 bytes (got 65537)"


async def test_keeps_its_leases_when_progress_is_refused(server: FakeServer, start: Start) -> None:
    gate = Gate()

    async def reconcile(ctx: Context) -> Result:
        ctx.save_progress("unwelcome")
        return await gate.reconcile(ctx)

    server.fail("Renew", 1, grpc.StatusCode.INVALID_ARGUMENT)
    server.give("one")
    start(reconcile)
    await server.until(lambda: len(server.of(pb.RenewRequest)) == 2, "a second renewal")
    assert list(server.of(pb.RenewRequest)[1].lease_tokens) == ["one"]
    assert not server.of(pb.RenewRequest)[1].progress
    gate.opened.set()
    await server.until(lambda: server.reports, "the report")
