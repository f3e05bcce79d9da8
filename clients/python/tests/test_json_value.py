"""What is written as JSON, and what is refused with its path."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import json
import math
from typing import Any

import pytest

from reconcile_toolkit import Context, Result, done
from reconcile_toolkit._gen.reconcile.v1 import reconciler_service_pb2 as pb
from reconcile_toolkit.json_value import json_text

from .conftest import Start
from .fake_server import FakeServer


class Colour(str, enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Part:
    name: str = "a"


Pair = collections.namedtuple("Pair", "x y")
RING: dict[str, Any] = {"list": []}
RING["list"].append(RING)
SHARED = {"a": 1}


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ({"a": [1, 2.5, True, None, "é😀"], "b c": {}}, '{"a": [1, 2.5, true, null, "é😀"], "b c": {}}'),
        ((1, (2,)), "[1, [2]]"),
        (12345678901234567890, "12345678901234567890"),
        ([SHARED, SHARED], '[{"a": 1}, {"a": 1}]'),
        ({"colour": Colour.RED}, '{"colour": "red"}'),
        (nested(30), "[" * 30 + "0" + "]" * 30),
    ],
)
def test_writes_what_json_has(value: Any, text: str) -> None:
    assert json_text("spec", value) == text
    json.loads(text)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"load": [1, math.nan]}, "status.load[1] must be a finite number (got nan); JSON has no other: write None"),
        ({"a b": -math.inf}, 'status["a b"] must be a finite number (got -inf)'),
        ({"s": {1, 2}}, "status.s must be a JSON value (got an instance of set); write sorted(value)"),
        ([b"x"], "status[0] must be a JSON value (got an instance of bytes); write base64.b64encode(value).decode()"),
        ({"at": datetime.datetime(2026, 1, 1)}, "status.at must be a JSON value (got an instance of datetime)"),
        ({"p": Part()}, "status.p must be a JSON value (got an instance of Part); write dataclasses.asdict(value)"),
        ({"p": Pair(1, 2)}, "status.p must be a JSON value (got an instance of Pair); write value._asdict()"),
        ({"m": {1: "a", "1": "b"}}, "status.m must have strings as keys (got 1); write str(key)"),
        ({None: 1}, "status must have strings as keys (got None)"),
        ({"t": "a\ud800"}, "status.t must be Unicode text: \\ud800 is half of a surrogate pair"),
        ({"m": {"\udfff": 1}}, "a key of status.m must be Unicode text: \\udfff is half of a surrogate pair"),
        (RING, "status.list[0] must not contain itself"),
        (nested(31), "status" + "[0]" * 30 + " must not be nested deeper than 30 levels"),
    ],
)
def test_refuses_what_json_has_not_by_its_path(value: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as refusal:
        json_text("status", value)
    assert message in str(refusal.value)


async def test_a_status_that_is_no_json_is_an_error_with_its_path(server: FakeServer, start: Start) -> None:
    async def reconcile(ctx: Context) -> Result:
        ctx.set_condition("Seen", True, "Looked")
        return done({"parts": [{"sizes": {1, 2}}]})

    server.give("one")
    start(reconcile)
    await server.until(lambda: server.reports, "a report")
    [report] = server.reports
    assert report.result == pb.PASS_RESULT_ERROR
    assert report.error.startswith("status.parts[0].sizes must be a JSON value (got an instance of set)")
    assert report.status_json == ""
    assert [condition.type for condition in report.conditions] == ["Seen"]
