"""One channel to a state-manager, and calls that raise ApiError."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import grpc
from google.protobuf.message import Message

from ._gen.reconcile.v1.reconciler_service_pb2_grpc import ReconcilerServiceStub
from ._gen.reconcile.v1.resource_service_pb2_grpc import ResourceServiceStub
from .errors import ApiError
from .timing import timer_seconds

if TYPE_CHECKING:
    # The stubs of asynchronous channels exist for type checkers alone.
    from ._gen.reconcile.v1.reconciler_service_pb2_grpc import ReconcilerServiceAsyncStub
    from ._gen.reconcile.v1.resource_service_pb2_grpc import ResourceServiceAsyncStub

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

_OPTIONS: list[tuple[str, int]] = [
    # An answer of Lease is about 3 MiB, its first item apart.
    ("grpc.max_receive_message_length", 16 << 20),
    # gRPC's own pauses between connections grow to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Finds a peer that vanished without a word; otherwise that takes a quarter of an hour.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    # One worker's failures do not slow another's connection.
    ("grpc.use_local_subchannel_pool", 1),
]
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Connection:
    """Connects at the first call, and again whenever the server is back."""

    def __init__(self, server_url: str) -> None:
        target, is_secure, is_loopback = _parse(server_url)
        # A proxy of the surroundings cannot reach this machine's loopback.
        options = [*_OPTIONS, ("grpc.enable_http_proxy", 0)] if is_loopback else _OPTIONS
        self._channel = (
            grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=options)
            if is_secure
            else grpc.aio.insecure_channel(target, options=options)
        )
        self.reconcilers: ReconcilerServiceAsyncStub = ReconcilerServiceStub(self._channel)
        self.resources: ResourceServiceAsyncStub = ResourceServiceStub(self._channel)

    async def close(self) -> None:
        """Ends every call. Twice is safe."""
        await self._channel.close()


async def call(
    method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request, timeout: float
) -> Response:
    """One call, which ends after `timeout` seconds. Raises ApiError."""
    try:
        return await method(request, timeout=timer_seconds(timeout))
    except grpc.aio.AioRpcError as error:
        raise ApiError.of(error) from error


def _parse(server_url: str) -> tuple[str, bool, bool]:
    url = urlsplit(server_url)
    if url.scheme not in ("http", "https") or url.hostname is None or url.path not in ("", "/"):
        raise ValueError(f"server_url must be like http://127.0.0.1:8080, not {server_url!r}")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    port = url.port or (443 if url.scheme == "https" else 80)
    return f"{host}:{port}", url.scheme == "https", url.hostname in _LOOPBACK
