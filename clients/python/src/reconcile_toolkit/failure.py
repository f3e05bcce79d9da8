"""What a failure says: to the server, which keeps it with the resource, and to the log."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from types import TracebackType

MAX_ERROR = 4096
"""Characters. What the server keeps of an error, and takes as the message of a condition."""
_MAX_CAUSES, _MAX_MEMBERS = 5, 5
"""How far causes are followed, and how many exceptions of a group are named: the first ones tell the story."""
_MAX_LINE = 500
"""Characters of an error in the log, which has the traceback too."""
_MAX_REMEMBERED = 1000


def describe_error(error: BaseException | str) -> str:
    """Anything may have been raised, also what cannot say what it is."""
    text = error if isinstance(error, str) else _describe(error, _MAX_CAUSES)
    # A lone surrogate has no UTF-8, and the report would not leave.
    return text[:MAX_ERROR].encode("utf-8", "replace").decode()


def describe_value(value: object) -> str:
    """Any value in a few words, also one that cannot say what it is."""
    try:
        text = repr(value)
    except Exception:  # a __repr__ that raises
        text = f"a {type(value).__name__}"
    return text[:200]


class FailureLog:
    """One line for every failed pass; the traceback comes with the first one of its kind, and at debug level with all.

    A resource that cannot be reconciled fails at every retry, and many do so together: the same forty lines again and
    again hide what else happens.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._seen: OrderedDict[tuple[object, ...], None] = OrderedDict()

    def warn(self, reconciler: str, attempt: int, resource: object, error: BaseException) -> None:
        """Failures are of one kind when they are of one type and were raised in the same place."""
        place = (reconciler, type(error), *_frames(error.__traceback__))
        is_new = place not in self._seen
        self._seen[place] = None
        self._seen.move_to_end(place)
        if len(self._seen) > _MAX_REMEMBERED:
            self._seen.popitem(last=False)
        words = " ".join(describe_error(error).split())[:_MAX_LINE]
        shows_traceback = is_new or self._log.isEnabledFor(logging.DEBUG)
        self._log.warning(
            "%s: pass %d over %s failed: %s",
            *(reconciler, attempt, resource, words),
            exc_info=error if shows_traceback else None,
        )


def _describe(error: BaseException, causes: int) -> str:
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # a __str__ that raises
        text = ""
    if not text:
        text = name + _place_of(error)
    elif isinstance(error, LookupError | SystemExit):  # their text is the bare key, or the exit code
        text = f"{name}: {text}"
    if causes == 0:
        return text
    members = getattr(error, "exceptions", ())  # of an ExceptionGroup, which Python 3.10 does not know
    if not isinstance(members, tuple):
        members = ()
    parts = [_describe(member, causes - 1) for member in members[:_MAX_MEMBERS] if isinstance(member, BaseException)]
    if len(members) > _MAX_MEMBERS:
        parts.append(f"and {len(members) - _MAX_MEMBERS} more")
    reasons = ["; ".join(parts)] if parts else []
    if error.__cause__ is not None:
        reasons.append(_describe(error.__cause__, causes - 1))
    # Many errors quote their cause.
    return ": ".join([text, *(reason for reason in reasons if reason not in text)])


def _place_of(error: BaseException) -> str:
    """Where it was raised: an exception without a text, such as that of an assert, says nothing else."""
    frames = _frames(error.__traceback__)
    return f" at {os.path.basename(frames[-1][0])}:{frames[-1][1]}" if frames else ""


def _frames(traceback: TracebackType | None) -> list[tuple[str, int]]:
    frames = []
    while traceback is not None:
        frames.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    return frames
