"""How a pass ends well."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from .failure import describe_value


class Unchanged:
    """The type of UNCHANGED."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED: Final = Unchanged()
"""Leaves the stored status as it is."""

SHORTEST_REQUEUE, LONGEST_REQUEUE = 0.001, 30 * 24 * 3600.0
"""Seconds; what the server takes for "at once", and the longest it keeps a requeue."""


@dataclass(frozen=True)
class Result:
    """What a reconciler returns: made by `done` or `requeue_after`."""

    status: Any
    requeue_after: float | None
    is_observed: bool
    is_merged: bool


def done(status: Any = UNCHANGED, *, merge: bool = False) -> Result:
    """Reality is as declared; for a deleting resource: everything is cleaned up.

    `status` replaces the stored one; with `merge` it is a JSON Merge Patch of it. It must be a JSON value: None,
    booleans, finite numbers, strings, lists or tuples, and dicts with string keys. Anything else fails the pass with
    its path.
    """
    return Result(status, None, is_observed=True, is_merged=merge)


def requeue_after(seconds: float, status: Any = UNCHANGED, *, observed: bool = False, merge: bool = False) -> Result:
    """Come back in that many seconds, or earlier when something changes.

    A time that has passed (0 or less) means at once, and 1 s from the second time in a row; more than 30 days means 30
    days. The resource stays pending, unless `observed` says that reality is as declared and only time will change that.
    Raises ValueError when it is no number.
    """
    if not isinstance(seconds, int | float) or math.isnan(seconds):
        raise ValueError(f"requeue_after takes a number of seconds, not {describe_value(seconds)}")
    seconds = min(max(seconds, SHORTEST_REQUEUE), LONGEST_REQUEUE)
    return Result(status, seconds, is_observed=observed, is_merged=merge)
