"""Trying rules of a file on a job of a file: what they say of every pool, without a scheduler and its workers.

Nobody knows here how long the job would take or how busy the farm is: it counts as taking no time, on an idle farm.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from scheduler.cli.rule_files import RuleFile
from scheduler.clock import studio_time
from scheduler.protocol.submission import NewJob
from scheduler.routing.facts import Facts, now_facts
from scheduler.routing.machines import Needs
from scheduler.routing.route import HOME_POOL, REASON_EMPTY, Pool, Route, RouteRequest, route
from scheduler.routing.rules import EVERY_POOL, Rule, RuleBook
from scheduler.service.validating import validate_payload

REASON_ALLOWED = "it may run here"


def try_rules(body: Any, file: RuleFile, now: datetime) -> dict[str, Any]:
    """What the rules say of the job, in the shape of `why` as far as it is known here. `now` is aware.

    Raises:
        Refused: the job or the rules are wrong.
    """
    job = validate_payload(body)
    rules = file.read()
    pools = _pools(file, rules)
    local = studio_time(now, file.settings.farm.time_zone)
    needs = Needs(job.renderer or "", tags=tuple(job.requires.tags))
    request = RouteRequest(needs, tuple(job.pools or ()), job.cloud)
    return {"route": shown(route(request, pools, RuleBook(0, rules), facts_of(job, pools, local)))}


def facts_of(job: NewJob, pools: tuple[Pool, ...], local: datetime) -> Facts:
    """The facts of a job that was not submitted; `local` is now on the studio's clock."""
    spare_s = (job.deadline.timestamp() - local.timestamp()) if job.deadline else None
    fixed = job.model_dump(exclude={"deadline", "frames", "split", "settings"})
    fixed |= {"project": job.tracking.project, "shot": job.tracking.shot, "pools": job.pools or []}
    moving = {
        "has_deadline": spare_s is not None,
        "deadline": job.deadline.isoformat() if job.deadline else None,
        "deadline_s": spare_s,
    }
    slack_s = {pool.name: spare_s for pool in pools} if spare_s is not None else {}
    return Facts(job={**fixed, **moving}, now=now_facts(local), slack_s=slack_s)


def shown(told: Route) -> dict[str, Any]:
    """A route as data."""
    return {
        "chosen": list(told.chosen),
        "pools": [
            {
                "pool": v.pool,
                "allowed": v.allowed,
                "reason": REASON_ALLOWED if v.reason == REASON_EMPTY else v.reason,
                "detail": v.detail,
                "score": round(v.score, 4),
            }
            for v in told.pools
        ],
        "rules": list(told.rules),
        "troubles": [{"rule": rule, "reason": reason} for rule, reason in told.troubles],
    }


def _pools(file: RuleFile, rules: tuple[Rule, ...]) -> tuple[Pool, ...]:
    """The pools of the settings, and those that the rules speak of."""
    spoken = {name for rule in rules for name in (*rule.allow, *rule.forbid, *rule.prefer)} - {EVERY_POOL}
    known = file.settings.pools
    names = dict.fromkeys((HOME_POOL, *known, *sorted(spoken)))
    return tuple(
        Pool(name, (), known[name].backend, known[name].price_usd_per_hour) if name in known else Pool(name)
        for name in names
    )
