"""Reads and writes resources."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import grpc

from ._gen.reconcile.v1 import reconciler_service_pb2 as work_pb
from ._gen.reconcile.v1 import resource_pb2 as resource_pb
from ._gen.reconcile.v1 import resource_service_pb2 as pb
from .connection import Connection, Request, Response, call
from .errors import ApiError
from .json_value import json_text
from .resource import Owner, Resource, ResourceKey, read_resource
from .timing import retry_delay

_JSON = resource_pb.PAYLOAD_ENCODING_JSON
_PROPAGATION = {
    "background": pb.DELETION_PROPAGATION_BACKGROUND,
    "foreground": pb.DELETION_PROPAGATION_FOREGROUND,
    "orphan": pb.DELETION_PROPAGATION_ORPHAN,
}


class ResourceClient:
    """Every call raises ApiError. While the server is away it is tried again, for `timeout` seconds in all."""

    def __init__(self, connection: Connection, timeout: float = 30.0) -> None:
        self._connection = connection
        self._timeout = timeout

    async def get(self, key: ResourceKey) -> Resource | None:
        """The resource as it is now; None when there is none."""
        request = pb.GetResourceRequest(key=key.to_wire(), payload_encoding=_JSON)
        try:
            answer = await self._call(self._connection.resources.GetResource, request)
        except ApiError as error:
            if error.code == "NOT_FOUND":
                return None
            raise
        return read_resource(answer.resource)

    async def list(
        self,
        resource_group: str = "",
        kind: str = "",
        *,
        namespace: str = "",
        label_selector: str = "",
        owner: Owner | Resource | None = None,
        page_size: int = 500,
    ) -> AsyncIterator[Resource]:
        """Those that match everything given, in the order of their creation, read page by page."""
        filter_ = pb.ResourceFilter(
            resource_group=resource_group,
            kind=kind,
            namespace=namespace,
            label_selector=label_selector,
            owner_uid=owner.uid if owner is not None else "",
        )
        token = ""
        while True:
            request = pb.ListResourcesRequest(
                filter=filter_, page_size=page_size, page_token=token, payload_encoding=_JSON
            )
            page = await self._call(self._connection.resources.ListResources, request)
            for resource in page.resources:
                yield read_resource(resource)
            token = page.next_page_token
            if not token:
                return

    async def create(
        self,
        key: ResourceKey,
        spec: Any,
        *,
        shard_id: str = "default",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        finalizers: Iterable[str] = (),
        owner: Owner | Resource | None = None,
    ) -> Resource:
        """Creates it; `ALREADY_EXISTS` when the key is taken. Not tried again: it may have been created."""
        resource = _input(
            key,
            spec,
            shard_id=shard_id,
            labels=labels,
            annotations=annotations,
            finalizers=finalizers,
            owner=owner,
        )
        request = pb.CreateResourceRequest(resource=resource, payload_encoding=_JSON)
        answer = await call(self._connection.resources.CreateResource, request, self._timeout)
        return read_resource(answer.resource)

    async def apply(
        self,
        key: ResourceKey,
        spec: Any,
        *,
        shard_id: str = "default",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        finalizers: Iterable[str] = (),
        owner: Owner | Resource | None = None,
    ) -> Resource:
        """Creates or updates it; nothing is written when nothing differs. No finalizers: they are left as they are."""
        resource = _input(
            key,
            spec,
            shard_id=shard_id,
            labels=labels,
            annotations=annotations,
            finalizers=finalizers,
            owner=owner,
        )
        request = pb.ApplyResourceRequest(resource=resource, payload_encoding=_JSON)
        return read_resource((await self._call(self._connection.resources.ApplyResource, request)).resource)

    async def delete(self, key: ResourceKey, *, uid: str = "", propagation: str = "background") -> bool:
        """Asks for its deletion. True when it is gone, also when it was; False while finalizers hold it.

        With `uid` only that very resource is deleted (`ABORTED` otherwise). `propagation`, to what belongs to it:
        `background`, `foreground` or `orphan`.
        """
        request = pb.DeleteResourceRequest(
            key=key.to_wire(), expected_uid=uid, propagation=_PROPAGATION[propagation], payload_encoding=_JSON
        )
        try:
            return (await self._call(self._connection.resources.DeleteResource, request)).removed
        except ApiError as error:
            if error.code == "NOT_FOUND":
                return True
            raise

    async def enqueue(self, key: ResourceKey, message: str = "") -> None:
        """Asks for a pass now. `NOT_FOUND` when there is no such resource."""
        request = work_pb.EnqueueRequest(key=key.to_wire(), message=message)
        await self._call(self._connection.reconcilers.Enqueue, request)

    async def _call(self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request) -> Response:
        clock = asyncio.get_running_loop().time
        end, failures = clock() + self._timeout, 0
        while True:
            try:
                return await call(method, request, max(0.001, end - clock()))
            except ApiError as error:
                failures += 1
                delay = retry_delay(failures)
                if error.code != "UNAVAILABLE" or clock() + delay >= end:
                    raise
                await asyncio.sleep(delay)


def _input(
    key: ResourceKey,
    spec: Any,
    *,
    shard_id: str,
    labels: Mapping[str, str] | None,
    annotations: Mapping[str, str] | None,
    finalizers: Iterable[str],
    owner: Owner | Resource | None,
) -> pb.ResourceInput:
    owner = owner.as_owner() if isinstance(owner, Resource) else owner
    return pb.ResourceInput(
        key=key.to_wire(),
        shard_id=shard_id,
        labels=labels or {},
        annotations=annotations or {},
        finalizers=finalizers,
        spec_json=json_text("spec", spec),
        owner=owner.to_wire() if owner is not None else None,
    )
