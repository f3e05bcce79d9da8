"""What a failed call tells."""

from __future__ import annotations

import pytest

from reconcile_toolkit import ApiError


@pytest.mark.parametrize(
    ("code", "reason", "is_unknown"),
    [
        ("UNAVAILABLE", "STORE_UNAVAILABLE", False),
        ("ABORTED", "REVISION_CONFLICT", False),
        ("UNAVAILABLE", "CONNECTION_LOST", True),
        ("UNAVAILABLE", "", True),
        ("DEADLINE_EXCEEDED", "STORE_UNAVAILABLE", True),
        ("INTERNAL", "", True),
    ],
)
def test_tells_whether_a_failed_write_may_be_stored(code: str, reason: str, is_unknown: bool) -> None:
    assert ApiError(code, "", reason).is_outcome_unknown is is_unknown
