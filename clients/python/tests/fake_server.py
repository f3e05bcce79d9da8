"""The server's side of the contract over a real socket: hands out what a test says, records what it gets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

import grpc

from reconcile_toolkit._gen.reconcile.v1 import reconciler_service_pb2 as pb
from reconcile_toolkit._gen.reconcile.v1.error_pb2 import ErrorDetail
from reconcile_toolkit._gen.reconcile.v1.reconciler_service_pb2_grpc import (
    ReconcilerServiceServicer,
    add_ReconcilerServiceServicer_to_server,
)
from reconcile_toolkit._gen.reconcile_toolkit.internal.rpc_status_pb2 import RpcStatus

T = TypeVar("T")
Call = grpc.aio.ServicerContext[Any, Any]


class FakeServer(ReconcilerServiceServicer):
    """Every call is recorded in `calls`; one whose method has failures left in `failures` fails."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, Any]] = []
        self.failures: dict[str, list[tuple[grpc.StatusCode, str]]] = {}
        self.lost: list[str] = []
        self.outcomes: list[pb.ReportOutcome.ValueType] = []
        self.held: set[str] = set()
        self.most_held = 0
        self.answer = pb.RegisterResponse(concurrency=4)
        self.answer.lease_duration.FromSeconds(30)
        self.answer.pass_deadline.FromSeconds(300)
        self.items: asyncio.Queue[pb.LeasedItem] = asyncio.Queue()
        self.accepted: list[pb.PassReport] = []
        self.is_silent = False
        """Reports are taken and never answered."""
        self.attached = 0
        self.waiting = 0
        self._changed = asyncio.Event()
        self._server: grpc.aio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        self._server = grpc.aio.server()
        add_ReconcilerServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def give(self, name: str, spec: Any = None, *, token: str = "", **fields: Any) -> None:
        """The next worker that asks gets this resource."""
        item = pb.LeasedItem(lease_token=token or name, attempt=1, **fields)
        item.resource.key.resource_group, item.resource.key.kind = "demo", "thing"
        item.resource.key.namespace, item.resource.key.name = "default", name
        item.resource.generation, item.resource.spec_json = 7, json.dumps(spec)
        self.items.put_nowait(item)

    def fail(self, method: str, times: int, code: grpc.StatusCode, reason: str = "") -> None:
        self.failures[method] = [(code, reason)] * times

    def of(self, kind: type[T]) -> list[T]:
        """The recorded requests of one type."""
        return [request for _, request in self.calls if isinstance(request, kind)]

    @property
    def reports(self) -> list[pb.PassReport]:
        return [report for request in self.of(pb.ReportRequest) for report in request.reports]

    async def until(self, check: Callable[[], Any], what: str, timeout: float = 8) -> None:
        """Waits until a call makes `check` true."""

        async def wait() -> None:
            while not check():
                self._changed.clear()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.05)

        try:
            await asyncio.wait_for(wait(), timeout)
        except asyncio.TimeoutError:
            raise AssertionError(f"not within {timeout} s: {what}; calls: {self.calls}") from None

    async def Register(self, request: pb.RegisterRequest, context: Call) -> pb.RegisterResponse:
        await self._note(request, context)
        answer = pb.RegisterResponse()
        answer.CopyFrom(self.answer)
        answer.session_id = f"session-{len(self.of(pb.RegisterRequest))}"
        return answer

    async def Attach(self, request: pb.AttachRequest, context: Call) -> AsyncIterator[pb.AttachResponse]:
        await self._note(request, context)
        self.attached += 1
        try:
            yield pb.AttachResponse()
            await asyncio.Event().wait()
        finally:
            self.attached -= 1

    async def Lease(self, request: pb.LeaseRequest, context: Call) -> pb.LeaseResponse:
        await self._note(request, context)
        self.waiting += 1
        try:
            items = [await self.items.get()]
        finally:
            self.waiting -= 1
        while len(items) < request.max_items and not self.items.empty():
            items.append(self.items.get_nowait())
        self.held.update(item.lease_token for item in items)
        self.most_held = max(self.most_held, len(self.held))
        return pb.LeaseResponse(items=items)

    async def Renew(self, request: pb.RenewRequest, context: Call) -> pb.RenewResponse:
        await self._note(request, context)
        return pb.RenewResponse(lost_lease_tokens=self.lost)

    async def Report(self, request: pb.ReportRequest, context: Call) -> pb.ReportResponse:
        self.held.difference_update(report.lease_token for report in request.reports)
        await self._note(request, context)
        if self.is_silent:
            await asyncio.Event().wait()
        outcomes = [self.outcomes.pop(0) if self.outcomes else pb.REPORT_OUTCOME_ACCEPTED for _ in request.reports]
        for report, outcome in zip(request.reports, outcomes, strict=True):
            if outcome == pb.REPORT_OUTCOME_ACCEPTED:
                self.accepted.append(report)
        return pb.ReportResponse(results=[pb.ReportResult(outcome=outcome, message="so") for outcome in outcomes])

    async def Deregister(self, request: pb.DeregisterRequest, context: Call) -> pb.DeregisterResponse:
        await self._note(request, context)
        return pb.DeregisterResponse()

    async def _note(self, request: Any, context: Call) -> None:
        self.calls.append((asyncio.get_running_loop().time(), request))
        self._changed.set()
        method = type(request).__name__.removesuffix("Request")
        if self.failures.get(method):
            code, reason = self.failures[method].pop()
            await context.abort(code, "as the test says", trailing_metadata=tuple(_details(code, reason)))


def _details(code: grpc.StatusCode, reason: str) -> Iterator[tuple[str, bytes]]:
    yield ("served-by-bin", b"the fake")  # as every server says something of itself
    if reason:
        status = RpcStatus(code=code.value[0])
        status.details.add().Pack(ErrorDetail(reason=reason))
        yield ("grpc-status-details-bin", status.SerializeToString())
