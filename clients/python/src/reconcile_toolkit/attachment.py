"""Keeps Attach open: the server takes its end for the worker's, and gives its work away after 500 ms."""

from __future__ import annotations

import asyncio

import grpc

from ._gen.reconcile.v1 import reconciler_service_pb2 as pb
from .connection import Connection
from .errors import ApiError
from .session import Session
from .timing import pause, retry_delay, unless

_LASTING = 5.0
"""Seconds. A stream that ends sooner counts as a failure, for the pause before the next."""


async def stay_attached(connection: Connection, session: Session) -> None:
    """Until the session ends; attaches again at once when a stream breaks that had lasted."""
    failures, clock = 0, asyncio.get_running_loop().time
    while not session.ended.is_set:
        began_at = clock()
        await unless(_attach(connection, session), session.ended)
        failures = 1 if clock() - began_at > _LASTING else failures + 1
        await pause(retry_delay(failures), session.ended)


async def _attach(connection: Connection, session: Session) -> None:
    try:
        async for _ in connection.reconcilers.Attach(pb.AttachRequest(session_id=session.id)):
            pass
    except grpc.aio.AioRpcError as error:
        session.end_if_unknown(ApiError.of(error))
        session.log.debug("attach ended: %s", error.code())
