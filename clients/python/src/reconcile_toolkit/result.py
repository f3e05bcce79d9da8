"""How a pass ends well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


class Unchanged:
    """The type of UNCHANGED."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED: Final = Unchanged()
"""Leaves the stored status as it is."""

LONGEST_REQUEUE = 30 * 24 * 3600.0
"""Seconds; the longest the server keeps a requeue."""


@dataclass(frozen=True)
class Result:
    """What a reconciler returns: made by `done` or `requeue_after`."""

    status: Any
    requeue_after: float | None
    is_observed: bool
    is_merged: bool


def done(status: Any = UNCHANGED, *, merge: bool = False) -> Result:
    """Reality is as declared; for a deleting resource: everything is cleaned up.

    `status` is anything `json.dumps` takes and replaces the stored one; with `merge` it is a JSON Merge Patch of it.
    """
    return Result(status, None, is_observed=True, is_merged=merge)


def requeue_after(seconds: float, status: Any = UNCHANGED, *, observed: bool = False, merge: bool = False) -> Result:
    """Come back in that many seconds (0.001 to 30 days), or earlier when something changes.

    The resource stays pending, unless `observed` says that reality is as declared and only time will change that.
    Raises ValueError when the time is out of range.
    """
    if not 0.001 <= seconds <= LONGEST_REQUEUE:
        raise ValueError(f"requeue_after must be 0.001 s to 30 days, not {seconds}")
    return Result(status, seconds, is_observed=observed, is_merged=merge)
