"""From the end of a pass to its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._gen.reconcile.v1 import reconciler_service_pb2 as pb
from .errors import TerminalError
from .failure import describe_error
from .json_value import json_text
from .result import Result, Unchanged

if TYPE_CHECKING:
    from .changes import Changes


def finished(item: pb.LeasedItem, changes: Changes, result: Result) -> pb.PassReport:
    """The pass returned. Raises ValueError or TypeError when the status is no JSON."""
    report = _about(item, pb.PASS_RESULT_SUCCESS)
    if result.requeue_after is not None:
        report.result = pb.PASS_RESULT_REQUEUE_AFTER
        report.requeue_after.FromNanoseconds(round(result.requeue_after * 1e9))
    if result.is_observed:
        report.observed_generation = item.resource.generation
    if not isinstance(result.status, Unchanged):
        report.status_json = json_text("status", result.status)
        report.status_mode = pb.STATUS_MODE_MERGE if result.is_merged else pb.STATUS_MODE_REPLACE
    changes.write_changes(report)
    return report


def failed(item: pb.LeasedItem, error: BaseException | str, changes: Changes | None = None) -> pb.PassReport:
    """The pass failed; what it had set until then is stored with the error."""
    report = _about(item, pb.PASS_RESULT_ERROR)
    report.error = describe_error(error)
    if changes is not None:
        changes.write_changes(report)
    return report


def failed_for_good(item: pb.LeasedItem, changes: Changes, error: TerminalError) -> pb.PassReport:
    """Only a change of the resource can mend it: settled, and visible in the status."""
    changes.set_condition("Ready", False, error.reason, describe_error(error))
    report = _about(item, pb.PASS_RESULT_SUCCESS)
    report.observed_generation = item.resource.generation
    changes.write_changes(report)
    return report


def released(item: pb.LeasedItem) -> pb.PassReport:
    """The pass did not come to an end: somebody else shall do it. Nothing it set is stored."""
    return _about(item, pb.PASS_RESULT_RELEASE)


def _about(item: pb.LeasedItem, result: pb.PassResult.ValueType) -> pb.PassReport:
    return pb.PassReport(key=item.resource.key, lease_token=item.lease_token, result=result)
