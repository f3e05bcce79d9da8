"""What becomes of one pass."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from reconcile_toolkit import Context, Result, TerminalError, done, requeue_after
from reconcile_toolkit._gen.reconcile.v1 import reconciler_service_pb2 as pb

from .conftest import Start
from .fake_server import FakeServer


async def report_of(server: FakeServer) -> pb.PassReport:
    await server.until(lambda: server.reports, "a report")
    return server.reports[0]


async def test_reports_the_status_of_a_pass(server: FakeServer, start: Start) -> None:
    async def reconcile(ctx: Context) -> Result:
        ctx.set_condition("Ready", True, "Greeted", "hello")
        ctx.add_finalizer("a")
        ctx.remove_finalizer("b")
        ctx.set_label("l", "1")
        ctx.set_annotation("n", None)
        return done({"greeting": f"Grüße, {ctx.resource.spec['name']}"})

    server.give("one", {"name": "Ada"})
    start(reconcile)
    report = await report_of(server)
    assert report.result == pb.PASS_RESULT_SUCCESS
    assert report.key.name == "one"
    assert report.lease_token == "one"
    assert report.observed_generation == 7
    assert report.status_json == '{"greeting": "Grüße, Ada"}'
    assert [(c.type, c.status, c.reason) for c in report.conditions] == [("Ready", pb.CONDITION_STATUS_TRUE, "Greeted")]
    assert (list(report.add_finalizers), list(report.remove_finalizers)) == (["a"], ["b"])
    assert report.labels["l"].value == "1"
    assert not report.annotations["n"].HasField("value")


async def test_gives_a_pass_what_came_with_its_lease(server: FakeServer, start: Start) -> None:
    seen: dict[str, Any] = {}

    async def reconcile(ctx: Context) -> Result:
        seen.update(reason=ctx.reason, message=ctx.message, checkpoint=ctx.checkpoint)
        seen.update(progress=ctx.progress, is_solo=ctx.is_solo, is_deleting=ctx.is_deleting)
        return done()

    server.give("one", reason=99, message="m", checkpoint=b"\x00c", progress="half", is_solo=True)
    start(reconcile)
    report = await report_of(server)
    assert report.status_json == ""  # unchanged
    expected = {"reason": "UNSPECIFIED", "message": "m", "checkpoint": b"\x00c", "progress": "half", "is_solo": True}
    assert seen == {**expected, "is_deleting": False}


@pytest.mark.parametrize("is_observed", [True, False])
async def test_asks_to_come_back(server: FakeServer, start: Start, is_observed: bool) -> None:
    async def reconcile(_: Context) -> Result:
        return requeue_after(1.5, {"n": 1}, observed=is_observed, merge=True)

    server.give("one")
    start(reconcile)
    report = await report_of(server)
    assert report.result == pb.PASS_RESULT_REQUEUE_AFTER
    assert report.requeue_after.ToMilliseconds() == 1500
    assert report.HasField("observed_generation") == is_observed
    assert (report.status_json, report.status_mode) == ('{"n": 1}', pb.STATUS_MODE_MERGE)


@pytest.mark.parametrize(("asked", "milliseconds"), [(0, 1), (-3600.5, 1), (float("-inf"), 1), (1e12, 2_592_000_000)])
async def test_takes_a_time_that_has_passed_for_now(
    server: FakeServer, start: Start, asked: float, milliseconds: int
) -> None:
    async def reconcile(_: Context) -> Result:
        return requeue_after(asked)

    server.give("one")
    start(reconcile)
    report = await report_of(server)
    assert report.result == pb.PASS_RESULT_REQUEUE_AFTER
    assert report.requeue_after.ToMilliseconds() == milliseconds


@pytest.mark.parametrize("asked", [float("nan"), "soon", timedelta(seconds=1)])
def test_says_what_requeue_after_takes(asked: Any) -> None:
    with pytest.raises(ValueError, match=r"^requeue_after takes a number of seconds, not "):
        requeue_after(asked)


async def test_says_that_a_coroutine_was_returned(server: FakeServer, start: Start) -> None:
    async def reconcile(_: Context) -> Result:
        return done()

    def forgets_to_await(ctx: Context) -> Any:
        return reconcile(ctx)

    server.give("one")
    start(forgets_to_await)
    report = await report_of(server)
    assert report.error == (
        "a pass must return done() or requeue_after(), not a coroutine: define the reconciler with async def"
    )


async def test_logs_one_line_for_a_failure_and_its_traceback_once(
    server: FakeServer, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    async def reconcile(ctx: Context) -> Result:
        if ctx.resource.key.name == "other":
            raise KeyError("another place")
        raise RuntimeError(f"no disk\n for {ctx.resource.key.name}")

    start(reconcile)
    for i, name in enumerate(["one", "two", "three", "other"]):
        server.give(name)
        await server.until(lambda count=i + 1: len(server.reports) == count, "a report")  # type: ignore[misc]
    failed = [record for record in caplog.records if "failed" in record.message]
    assert [record.exc_info is not None for record in failed] == [True, False, False, True]
    assert failed[1].message.endswith("failed: no disk for two")
    assert "\n" not in "".join(record.message for record in failed)


async def test_logs_every_traceback_at_debug_level(
    server: FakeServer, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    async def reconcile(_: Context) -> Result:
        raise RuntimeError("no disk")

    start(reconcile)
    with caplog.at_level(logging.DEBUG, logger="reconcile_toolkit"):
        for i in range(2):
            server.give(f"r{i}")
            await server.until(lambda count=i + 1: len(server.reports) == count, "a report")  # type: ignore[misc]
    assert [record.exc_info is not None for record in caplog.records if "failed" in record.message] == [True, True]


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


def caused(words: str, cause: Exception) -> Exception:
    error = RuntimeError(words)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (RuntimeError("boom"), "boom"),
        (KeyError("name"), "KeyError: 'name'"),
        (SystemExit("out"), "SystemExit: out"),
        (KeyboardInterrupt(), "KeyboardInterrupt at test_passes.py:"),
        (asyncio.CancelledError(), "the pass cancelled itself"),
        (UnspeakableError(), "UnspeakableError at test_passes.py:"),
        (AssertionError(), "AssertionError at test_passes.py:"),
        (caused("apply failed", ConnectionError("refused")), "apply failed: refused"),
        (caused("apply failed: refused", ConnectionError("refused")), "apply failed: refused"),
        (caused("apply failed", KeyError("name")), "apply failed: KeyError: 'name'"),
        (ValueError("x" * 5000), "x" * 4096),
        (ValueError("\ud800"), "?"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_reports_whatever_is_raised_as_an_error(
    server: FakeServer, start: Start, raised: BaseException, words: str
) -> None:
    async def reconcile(ctx: Context) -> Result:
        if ctx.resource.key.name == "bad":
            ctx.set_label("tried", "yes")
            raise raised
        return done()

    server.give("bad")
    start(reconcile)
    report = await report_of(server)
    assert report.result == pb.PASS_RESULT_ERROR
    assert report.error.startswith(words) if words.endswith(":") else report.error == words
    assert report.labels["tried"].value == "yes"
    server.give("good")
    await server.until(lambda: len(server.reports) == 2, "other passes go on")


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (None, "a pass must return done() or requeue_after(), not None: is a return missing?"),
        ("ready", "a pass must return done() or requeue_after(), not 'ready'"),
        (done, "a pass must return done() or requeue_after(), not <function done at "),
        (Unshowable(), "a pass must return done() or requeue_after(), not a Unshowable"),
        (done(object()), "status must be a JSON value (got an instance of object); write dicts, lists and strings"),
        (done(float("nan")), "status must be a finite number (got nan); JSON has no other: write None"),
        (done("x" * (3 << 20)), "the report was refused: it must be at most 2097152 bytes (got 3"),
    ],
    ids=["nothing", "a string", "done without a call", "unshowable", "no JSON", "NaN", "too large"],
)
async def test_reports_what_cannot_be_stored_as_an_error(
    server: FakeServer, start: Start, returned: Any, words: str
) -> None:
    async def reconcile(_: Context) -> Result:
        return returned  # type: ignore[no-any-return]

    server.give("one")
    start(reconcile)
    report = await report_of(server)
    assert report.result == pb.PASS_RESULT_ERROR
    assert report.error.startswith(words)


async def test_settles_a_terminal_error_with_a_condition(server: FakeServer, start: Start) -> None:
    async def reconcile(_: Context) -> Result:
        raise TerminalError("InvalidSpec", "no name")

    server.give("one")
    start(reconcile)
    report = await report_of(server)
    assert (report.result, report.observed_generation) == (pb.PASS_RESULT_SUCCESS, 7)
    (condition,) = report.conditions
    assert (condition.type, condition.status) == ("Ready", pb.CONDITION_STATUS_FALSE)
    assert (condition.reason, condition.message) == ("InvalidSpec", "no name")


async def test_retries_a_terminal_error_of_a_deleting_resource(server: FakeServer, start: Start) -> None:
    async def reconcile(_: Context) -> Result:
        raise TerminalError("InvalidSpec", "no name")

    server.give("one")
    item = server.items.get_nowait()
    item.resource.deletion_requested_at.GetCurrentTime()
    server.items.put_nowait(item)
    start(reconcile)
    assert (await report_of(server)).result == pb.PASS_RESULT_ERROR


async def test_runs_plain_functions_in_threads_of_their_own(server: FakeServer, start: Start) -> None:
    together = threading.Barrier(4, timeout=5)

    async def double(number: int) -> int:
        return number * 2

    def reconcile(ctx: Context) -> Result:
        together.wait()
        return done({"n": ctx.wait_for(double(4))})

    for number in range(4):
        server.give(f"thing-{number}")
    start(reconcile)
    await server.until(lambda: len(server.reports) == 4, "four reports")
    assert {report.status_json for report in server.reports} == {'{"n": 8}'}


async def test_tells_a_thread_that_its_pass_is_to_stop(server: FakeServer, start: Start) -> None:
    stopped = threading.Event()

    def reconcile(ctx: Context) -> Result:
        if ctx.cancelled.wait(5):
            stopped.set()
        return done()

    server.answer.pass_deadline.FromMilliseconds(300)
    server.give("one")
    start(reconcile)
    assert (await report_of(server)).result == pb.PASS_RESULT_ERROR
    assert stopped.wait(1)


async def test_ends_a_pass_before_its_deadline_even_if_it_resists(server: FakeServer, start: Start) -> None:
    async def reconcile(_: Context) -> Result:
        for _attempt in range(3):
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                await asyncio.sleep(0.3)
        return done()

    server.answer.pass_deadline.FromMilliseconds(300)
    server.answer.concurrency = 1
    server.give("one")
    started = time.monotonic()
    start(reconcile)
    report = await report_of(server)
    assert report.result == pb.PASS_RESULT_ERROR
    assert report.error == "the pass took longer than its deadline of 0.3 s"
    assert 0.25 < time.monotonic() - started < 2
    server.give("two")
    await server.until(lambda: len(server.of(pb.LeaseRequest)) == 2 and server.items.empty(), "the slot is free")


async def test_keeps_the_status_exact(server: FakeServer, start: Start) -> None:
    async def reconcile(ctx: Context) -> Result:
        return done(ctx.resource.spec)

    spec = {"big": 12345678901234567890123, "b": [1, None, True], "a": "é\u2028"}
    server.give("one", spec)
    start(reconcile)
    assert json.loads((await report_of(server)).status_json) == spec
