"""Reconcilers in Python for a reconcile-toolkit state-manager.

worker = Worker("http://127.0.0.1:8080", name="greeter")

@worker.reconciler("demo", "greeting")
async def reconcile(ctx: Context) -> Result:
    return done({"greeting": f"Hello, {ctx.resource.spec['name']}"})

worker.run()
"""

from .client import ResourceClient
from .connection import Connection
from .context import Context
from .errors import ApiError, TerminalError
from .resource import Owner, Resource, ResourceKey
from .result import LONGEST_REQUEUE, UNCHANGED, Result, done, requeue_after
from .worker import Worker

__all__ = [
    "LONGEST_REQUEUE",
    "UNCHANGED",
    "ApiError",
    "Connection",
    "Context",
    "Owner",
    "Resource",
    "ResourceClient",
    "ResourceKey",
    "Result",
    "TerminalError",
    "Worker",
    "done",
    "requeue_after",
]
