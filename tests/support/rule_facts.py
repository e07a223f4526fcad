"""Jobs, pools and clocks for tests of rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from scheduler.routing.facts import Facts, now_facts
from scheduler.routing.machines import Machine, Needs
from scheduler.routing.reading_rules import read_rules
from scheduler.routing.route import Pool, RouteRequest
from scheduler.routing.rules import RuleBook
from scheduler.routing.vocabulary import Names

ROOT = Path(__file__).resolve().parents[2]
NAMES = Names.of((), ())
MACHINE = Machine("w1", 8, 64.0, renderers={"kernel": ("1",)})
POOLS = (
    Pool("onprem", (MACHINE,), "onprem"),
    Pool("aws", (MACHINE,), "aws", 0.14),
    Pool("gce", (MACHINE,), "gce", 0.2),
    Pool("cluster", (MACHINE,), "slurm"),
    Pool("branch", (MACHINE,), "site"),
)
REQUEST = RouteRequest(Needs("kernel"))


def book(*rules: Mapping[str, Any], version: int = 1) -> RuleBook:
    """A book of rules given as data."""
    import json

    return RuleBook(version, read_rules(json.dumps({"rules": list(rules)}), "json", NAMES))


def example(name: str) -> RuleBook:
    """A shipped example."""
    text = (ROOT / "docs" / "examples" / "rules" / f"{name}.toml").read_text()
    return RuleBook(1, read_rules(text, "toml", NAMES))


def at(text: str, zone: str = "Europe/Berlin") -> dict[str, Any]:
    """The studio's clock: a UTC time, as that zone shows it."""
    return now_facts(datetime.fromisoformat(text).astimezone(ZoneInfo(zone)))


def facts(now: Mapping[str, Any] | None = None, slack_s: Mapping[str, float] | None = None, **job: Any) -> Facts:
    """Facts of a job."""
    return Facts(job=job, now=now or {}, slack_s=slack_s or {})
