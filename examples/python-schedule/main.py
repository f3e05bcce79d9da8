"""Kind `schedule`: stamps out resources from a template at the times of a cron expression.

The pattern: time as an input. A pass looks at the clock, makes what is due, and says when to come back; the server's
queue is the only timer. Names follow from the time alone, so a pass that is repeated makes nothing twice.

RECONCILE_SERVER (default http://127.0.0.1:8080) names the state-manager. A signal drains and ends it.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from croniter import CroniterError, croniter

import reconcile_toolkit as rt
from reconcile_toolkit import Context, Resource, Result, TerminalError, done, requeue_after

SCHEDULE_LABEL = "examples/schedule-uid"
"""On what a schedule made, to find it by."""

worker = rt.Worker(os.environ.get("RECONCILE_SERVER", "http://127.0.0.1:8080"), name="python-schedule")


@dataclass(frozen=True)
class Spec:
    cron: str
    kind: str
    resource_group: str
    labels: dict[str, str]
    template: Any
    history_limit: int
    is_suspended: bool

    def next_after(self, time: datetime) -> datetime:
        return self._walk(time).get_next(datetime)

    def last_until(self, time: datetime) -> datetime:
        return self._walk(time + timedelta(microseconds=1)).get_prev(datetime)

    def name_of(self, schedule: str, time: datetime) -> str:
        """Five fields name minutes; a sixth, in front, is seconds."""
        unit = 1 if len(self.cron.split()) == 6 else 60
        return f"{schedule}-{int(time.timestamp()) // unit}"

    def _walk(self, time: datetime) -> croniter:
        return croniter(self.cron, time, second_at_beginning=True)


def read_spec(schedule: Resource, now: datetime) -> Spec:
    try:
        spec, template = schedule.spec, schedule.spec["template"]
        found = Spec(
            cron=str(spec["cron"]),
            kind=template["kind"],
            resource_group=template.get("resource_group", schedule.key.resource_group),
            labels=dict(template.get("labels", {})),
            template=template.get("spec"),
            history_limit=int(spec.get("historyLimit", 3)),
            is_suspended=bool(spec.get("suspend", False)),
        )
        if len(found.cron.split()) not in (5, 6):
            raise ValueError("cron must have five fields, or six with the seconds in front")
        found.next_after(now), found.last_until(now)  # an expression may be well-formed and never come true
    except (CroniterError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise TerminalError("InvalidSpec", f"{type(error).__name__}: {error}") from error
    if found.history_limit < 1:
        raise TerminalError("InvalidSpec", f"historyLimit must be 1 or more, not {found.history_limit}")
    return found


@worker.reconciler("examples", "schedule", concurrency=8, pass_deadline=30)
async def reconcile(ctx: Context) -> Result:
    schedule, now = ctx.resource, datetime.now(timezone.utc)
    if ctx.is_deleting:
        return done()  # what it made belongs to it, and goes with it
    spec = read_spec(schedule, now)
    status = {"lastScheduleTime": (schedule.status or {}).get("lastScheduleTime")}

    # Of times that were missed only the last is made up for.
    last, before = spec.last_until(now), status["lastScheduleTime"]
    if not spec.is_suspended and last > (datetime.fromisoformat(before) if before else schedule.created_at):
        await stamp(ctx, spec, last)
        status["lastScheduleTime"] = last.isoformat()

    selector = f"{SCHEDULE_LABEL} in ({schedule.uid})"
    made = [each async for each in ctx.client.list(namespace=schedule.key.namespace, label_selector=selector)]
    for old in made[: -spec.history_limit]:
        await ctx.client.delete(old.key, uid=old.uid)
    status["active"] = [each.key.name for each in made[-spec.history_limit :]]

    if spec.is_suspended:
        ctx.set_condition("Ready", True, "Suspended", "nothing is made until suspend is false")
        return done({**status, "nextScheduleTime": None})
    following = spec.next_after(now)
    ctx.set_condition("Ready", True, "Scheduled", f"the next {spec.kind} is made by {spec.cron}")
    wait = (following - datetime.now(timezone.utc)).total_seconds()
    wait = min(max(0.001, wait), rt.LONGEST_REQUEUE)
    return requeue_after(wait, {**status, "nextScheduleTime": following.isoformat()}, observed=True)


async def stamp(ctx: Context, spec: Spec, time: datetime) -> None:
    schedule = ctx.resource
    name = spec.name_of(schedule.key.name, time)
    key = rt.ResourceKey(spec.resource_group, spec.kind, schedule.key.namespace, name)
    labels = {**spec.labels, SCHEDULE_LABEL: schedule.uid}
    try:
        await ctx.client.create(key, spec.template, shard_id=schedule.shard_id, labels=labels, owner=schedule)
    except rt.ApiError as error:
        if error.code != "ALREADY_EXISTS":  # by a pass that did not live to say so
            raise


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    worker.run()
