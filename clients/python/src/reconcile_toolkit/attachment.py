"""Keeps Attach open: the server takes its end for the worker's, and gives its work away after 500 ms."""

from __future__ import annotations

import grpc

from ._gen.reconcile.v1 import reconciler_service_pb2 as pb
from .connection import Connection
from .errors import ApiError
from .session import Session
from .timing import pause, retry_delay, unless


async def stay_attached(connection: Connection, session: Session) -> None:
    """Until the session ends; attaches again at once when the stream breaks."""
    failures = 0
    while not session.ended.is_set:
        heard = await unless(_attach(connection, session), session.ended)
        failures = 1 if heard else failures + 1
        await pause(retry_delay(failures), session.ended)


async def _attach(connection: Connection, session: Session) -> bool:
    """Whether the server said anything before the stream ended."""
    heard = False
    try:
        async for _ in connection.reconcilers.Attach(pb.AttachRequest(session_id=session.id)):
            heard = True
    except grpc.aio.AioRpcError as error:
        session.end_if_unknown(ApiError.of(error))
        session.log.debug("attach ended: %s", error.code())
    return heard
