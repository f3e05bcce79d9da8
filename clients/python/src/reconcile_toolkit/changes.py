"""What a pass wants stored beside its status."""

from __future__ import annotations

from ._gen.reconcile.v1 import reconciler_service_pb2 as pb

_CONDITION_STATUS = {
    True: pb.CONDITION_STATUS_TRUE,
    False: pb.CONDITION_STATUS_FALSE,
    None: pb.CONDITION_STATUS_UNKNOWN,
}


class Changes:
    """Stored together with the end of the pass, whether it ended well or in an error; of one name the last counts."""

    def __init__(self) -> None:
        self._conditions: dict[str, pb.Condition] = {}
        self._finalizers: dict[str, bool] = {}
        self._labels: dict[str, str | None] = {}
        self._annotations: dict[str, str | None] = {}

    def set_condition(self, type_: str, status: bool | None, reason: str, message: str = "") -> None:
        """A typed fact in status.conditions; None: not known. `reason` is one CamelCase word."""
        self._conditions[type_] = pb.Condition(
            type=type_, status=_CONDITION_STATUS[status], reason=reason, message=message
        )

    def add_finalizer(self, name: str) -> None:
        """Holds the resource, when its deletion is requested, until it is removed again."""
        self._finalizers[name] = True

    def remove_finalizer(self, name: str) -> None:
        """Lets it go, as far as this hold is concerned."""
        self._finalizers[name] = False

    def set_label(self, key: str, value: str | None) -> None:
        """None removes it."""
        self._labels[key] = value

    def set_annotation(self, key: str, value: str | None) -> None:
        """None removes it."""
        self._annotations[key] = value

    def write_changes(self, report: pb.PassReport) -> None:
        """Adds them to a report."""
        report.conditions.extend(self._conditions.values())
        for name, is_added in self._finalizers.items():
            (report.add_finalizers if is_added else report.remove_finalizers).append(name)
        for key, value in self._labels.items():
            report.labels[key].CopyFrom(pb.OptionalString(value=value))
        for key, value in self._annotations.items():
            report.annotations[key].CopyFrom(pb.OptionalString(value=value))
