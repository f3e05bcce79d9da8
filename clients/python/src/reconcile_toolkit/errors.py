"""What a failed call raises."""

from __future__ import annotations

import grpc
from google.protobuf.message import DecodeError

from ._gen.reconcile.v1.error_pb2 import ErrorDetail
from ._gen.reconcile_toolkit.internal.rpc_status_pb2 import RpcStatus

_DETAILS = "grpc-status-details-bin"
# What a reset stream or a closed connection may become. A server that answered sends metadata with it.
_BROKEN = frozenset({"ABORTED", "CANCELLED", "DATA_LOSS", "INTERNAL", "UNKNOWN"})


class ApiError(Exception):
    """A failed call. Decide by `code` and `reason`, never by the text."""

    def __init__(self, code: str, message: str, reason: str = "", field: str = "") -> None:
        super().__init__(message)
        self.code = code
        """The gRPC code, for example `NOT_FOUND`."""
        self.reason = reason
        """Stable, for example `REVISION_CONFLICT`; `CONNECTION_LOST` when no answer came; may be empty."""
        self.field = field
        """The path of the offending field; empty when no field is to blame."""

    @classmethod
    def of(cls, error: grpc.aio.AioRpcError) -> ApiError:
        """Reads what grpc raised."""
        code, message = error.code().name, error.details() or ""
        detail = _detail_of(error)
        if detail is not None:
            return cls(code, message, detail.reason, detail.field)
        is_unanswered = not error.initial_metadata() and not error.trailing_metadata()
        if code in _BROKEN and is_unanswered:
            return cls("UNAVAILABLE", message, "CONNECTION_LOST")
        return cls(code, message)

    @property
    def may_pass(self) -> bool:
        """Whether the same call may succeed later; see also `is_outcome_unknown`."""
        return self.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED") or self.reason == "OVERLOADED"

    @property
    def is_outcome_unknown(self) -> bool:
        """Whether a write that failed may be stored all the same: read, then decide.

        Every other error proves that it is not stored, and never will be (docs/write-outcomes.md).
        """
        if self.code == "UNAVAILABLE":
            return self.reason in ("", "CONNECTION_LOST")
        return self.code in ("DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL", "UNKNOWN", "DATA_LOSS")

    def __str__(self) -> str:
        return f"{self.code}: {self.args[0]}"


class TerminalError(Exception):
    """Raise it in a pass when trying again cannot help until the resource changes.

    It becomes the condition Ready = False with this reason, and the pass counts as finished. On a deleting resource it
    is retried like any other error, because giving up there would leave something behind.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """One CamelCase word, for example `InvalidSpec`."""


def _detail_of(error: grpc.aio.AioRpcError) -> ErrorDetail | None:
    for key, value in error.trailing_metadata() or ():
        if key != _DETAILS or not isinstance(value, bytes):
            continue
        try:
            for packed in RpcStatus.FromString(value).details:
                detail = ErrorDetail()
                if packed.Unpack(detail):
                    return detail
        except DecodeError:
            return None
    return None
