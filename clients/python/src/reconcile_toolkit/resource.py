"""Resources as reconcilers see them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from ._gen.reconcile.v1 import resource_pb2 as pb


@dataclass(frozen=True)
class ResourceKey:
    """Names one resource."""

    resource_group: str
    kind: str
    namespace: str
    name: str

    def to_wire(self) -> pb.ResourceKey:
        """The message of the API."""
        return pb.ResourceKey(
            resource_group=self.resource_group, kind=self.kind, namespace=self.namespace, name=self.name
        )

    def __str__(self) -> str:
        return f"{self.resource_group}/{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True)
class Owner:
    """What another resource of its namespace belongs to. Without a uid, in a write: whoever has the name now."""

    resource_group: str
    kind: str
    name: str
    uid: str = ""

    def to_wire(self) -> pb.Owner:
        """The message of the API."""
        return pb.Owner(resource_group=self.resource_group, kind=self.kind, name=self.name, uid=self.uid)


@dataclass(frozen=True)
class Resource:
    """What a user declared (spec) and what its reconciler reported (status). A copy: changing it changes nothing."""

    key: ResourceKey
    uid: str
    shard_id: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    finalizers: tuple[str, ...]
    spec_json: str
    """The spec as it was written, to the letter."""
    status_json: str
    """The status as it was reported, to the letter."""
    generation: int
    """Counts changes of the desired state."""
    observed_generation: int
    """The last generation a pass finished."""
    revision: int
    """The log position of the last write."""
    created_at: datetime
    updated_at: datetime
    deletion_requested_at: datetime | None
    """When its deletion was requested; None while nobody asked."""
    owner: Owner | None
    """What it belongs to."""

    @cached_property
    def spec(self) -> Any:
        """What is wanted, parsed at the first look."""
        return json.loads(self.spec_json or "null")

    @cached_property
    def status(self) -> Any:
        """What was observed last, parsed at the first look."""
        return json.loads(self.status_json or "null")

    @property
    def is_deleting(self) -> bool:
        """Whether its deletion was requested."""
        return self.deletion_requested_at is not None

    def condition(self, type_: str) -> dict[str, Any] | None:
        """The condition of this type in status.conditions."""
        conditions = self.status.get("conditions", []) if isinstance(self.status, dict) else []
        found = (entry for entry in conditions if isinstance(entry, dict) and entry.get("type") == type_)
        return next(found, None)

    def as_owner(self) -> Owner:
        """For `owner=` in writes: this very resource, not a later one of its name."""
        return Owner(self.key.resource_group, self.key.kind, self.key.name, self.uid)


def read_key(key: pb.ResourceKey) -> ResourceKey:
    """From the message of the API."""
    return ResourceKey(key.resource_group, key.kind, key.namespace, key.name)


def read_resource(resource: pb.Resource) -> Resource:
    """From the message of the API, which must carry spec and status as JSON text."""
    owner = resource.owner
    return Resource(
        key=read_key(resource.key),
        uid=resource.uid,
        shard_id=resource.shard_id,
        labels=dict(resource.labels),
        annotations=dict(resource.annotations),
        finalizers=tuple(resource.finalizers),
        spec_json=resource.spec_json,
        status_json=resource.status_json,
        generation=resource.generation,
        observed_generation=resource.observed_generation,
        revision=resource.revision,
        created_at=_read_time(resource.created_at),
        updated_at=_read_time(resource.updated_at),
        deletion_requested_at=(
            _read_time(resource.deletion_requested_at) if resource.HasField("deletion_requested_at") else None
        ),
        owner=Owner(owner.resource_group, owner.kind, owner.name, owner.uid) if resource.HasField("owner") else None,
    )


def _read_time(time: Timestamp) -> datetime:
    return time.ToDatetime(tzinfo=timezone.utc)
