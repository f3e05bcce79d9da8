"""Reports: once per lease, whatever the answer."""

from __future__ import annotations

import grpc
import pytest

from reconcile_toolkit import Context, Result, done
from reconcile_toolkit._gen.reconcile.v1 import reconciler_service_pb2 as pb

from .conftest import Start
from .fake_server import FakeServer


async def reconcile(ctx: Context) -> Result:
    return done({"of": ctx.resource.key.name})


async def after_another_pass(server: FakeServer) -> list[pb.PassReport]:
    """All reports, once a later pass was reported too: nothing more comes of those before."""
    server.give("later")
    await server.until(lambda: "later" in [report.lease_token for report in server.reports], "a later report")
    return [report for report in server.reports if report.lease_token != "later"]


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED])
async def test_repeats_an_unanswered_report_unchanged(server: FakeServer, start: Start, code: grpc.StatusCode) -> None:
    server.fail("Report", 3, code)
    server.give("one")
    start(reconcile)
    await server.until(lambda: len(server.reports) == 4, "four tries")
    reports = await after_another_pass(server)
    assert len(reports) == 4
    assert all(report == reports[0] for report in reports)


async def test_drops_a_stale_report(server: FakeServer, start: Start) -> None:
    server.outcomes = [pb.REPORT_OUTCOME_STALE]
    server.give("one")
    start(reconcile)
    await server.until(lambda: server.reports, "a report")
    assert len(await after_another_pass(server)) == 1


async def test_takes_an_outcome_it_does_not_know_for_an_answer(server: FakeServer, start: Start) -> None:
    server.outcomes = [99]  # type: ignore[list-item]
    server.give("one")
    start(reconcile)
    await server.until(lambda: server.reports, "a report")
    assert len(await after_another_pass(server)) == 1


async def test_turns_an_invalid_report_into_an_error(server: FakeServer, start: Start) -> None:
    server.outcomes = [pb.REPORT_OUTCOME_INVALID]
    server.give("one")
    start(reconcile)
    await server.until(lambda: len(server.reports) == 2, "a second report")
    _, second = await after_another_pass(server)
    assert (second.result, second.lease_token) == (pb.PASS_RESULT_ERROR, "one")
    assert second.error == "the report was refused: so"
    assert second.status_json == ""


async def test_does_not_let_a_refused_report_hold_up_the_others(server: FakeServer, start: Start) -> None:
    server.answer.concurrency = 16
    for number in range(5):
        server.give(f"thing-{number}")
    # The call, its first half, the first half of that, and the one report that is left of it.
    server.fail("Report", 4, grpc.StatusCode.INVALID_ARGUMENT)
    start(reconcile)
    await server.until(lambda: len(server.accepted) == 5, "five accepted reports")
    results = {report.lease_token: report.result for report in server.accepted}
    others = {f"thing-{number}": pb.PASS_RESULT_SUCCESS for number in range(1, 5)}
    assert results == {"thing-0": pb.PASS_RESULT_ERROR, **others}
