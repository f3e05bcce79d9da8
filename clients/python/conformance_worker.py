"""The program the conformance suite runs: what a pass does, its resource's spec says in `action`.

RECONCILE_SERVER and RECONCILE_INSTANCE say where and as whom; RECONCILE_PASS_DEADLINE_MS and
RECONCILE_LEASE_DURATION_MS are optional.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

from reconcile_toolkit import Context, Result, Worker, done, requeue_after


def seconds(variable: str) -> float | None:
    value = os.environ.get(variable)
    return float(value) / 1000 if value else None


logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
worker = Worker(os.environ["RECONCILE_SERVER"], name="conformance", instance_id=os.environ["RECONCILE_INSTANCE"])


@worker.reconciler(
    "conformance",
    "task",
    concurrency=4,
    pass_deadline=seconds("RECONCILE_PASS_DEADLINE_MS"),
    lease_duration=seconds("RECONCILE_LEASE_DURATION_MS"),
)
async def reconcile(ctx: Context) -> Result:
    match ctx.resource.spec:
        case {"action": "done"}:
            pass
        case {"action": "fail", "error": str(error)}:
            raise RuntimeError(error)
        case {"action": "requeue", "afterMs": int(after_ms)}:
            return requeue_after(after_ms / 1000, finish(ctx))
        case {"action": "sleep", "ms": int(ms)}:
            await asyncio.sleep(ms / 1000)
        case {"action": "panic"}:
            raise SystemExit("panic")  # no Exception: asyncio itself would end the event loop with it
        case {"action": "checkpoint", "value": str(value), "ms": int(ms)}:
            ctx.save_progress("working", value.encode())
            await asyncio.sleep(ms / 1000)
        case other:
            raise ValueError(f"no such action: {other}")
    return done(finish(ctx))


def finish(ctx: Context) -> dict[str, Any]:
    ctx.set_condition("Ready", True, "Done", "done")
    checkpoint = ctx.checkpoint.decode()
    return {"generation": ctx.resource.generation, "attempt": ctx.attempt, "checkpoint": checkpoint}


if __name__ == "__main__":
    worker.run()
