"""Opens sessions."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket

from ._gen.reconcile.v1 import reconciler_service_pb2 as pb
from .connection import Connection, call
from .errors import ApiError
from .session import Session
from .timing import Latch, pause, retry_delay, unless

_log = logging.getLogger(__name__)
_TIMEOUT = 10.0
_FINAL = frozenset({"FAILED_PRECONDITION", "INVALID_ARGUMENT", "PERMISSION_DENIED", "UNAUTHENTICATED", "UNIMPLEMENTED"})
"""Asking again cannot help: the options or the caller's rights are wrong."""
_KIND_TAKEN_DELAY = 2.0
"""Seconds, while another reconciler name has the kind: it may be a predecessor that is about to stop."""


async def register(connection: Connection, request: pb.RegisterRequest, stopping: Latch) -> Session | None:
    """Waits for the server, and for a kind that is taken. None when the worker stopped first.

    Raises ApiError when the server refuses the registration for good.
    """
    failures = 0
    while not stopping.is_set:
        sent_at = asyncio.get_running_loop().time()
        try:
            answer = await unless(call(connection.reconcilers.Register, request, _TIMEOUT), stopping)
        except ApiError as error:
            is_taken = error.reason == "KIND_TAKEN"
            if error.code in _FINAL and not is_taken:
                raise
            failures += 1
            delay = _KIND_TAKEN_DELAY if is_taken else retry_delay(failures)
            _log.warning("%s is not registered yet: %s", request.name, error)
            await pause(delay, stopping)
            continue
        if answer is not None:
            _log.info("%s registered as %s", request.name, answer.session_id)
            return Session(connection, answer, request, sent_at)
    return None


def unique_instance_id() -> str:
    """Every run is another instance: two that share one would fence each other in turn."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
