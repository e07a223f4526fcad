"""A deployment in words: the rows of its plan, what it costs, and the settings of a pool that uses it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from scheduler.deploying.design import HOURS_PER_MONTH, usd_per_hour

if TYPE_CHECKING:
    from scheduler.deploying.design import Change, Design


def plan_rows(changes: Iterable[Change]) -> list[tuple[str, str, str, str]]:
    """Action, piece, price and words of each line; an id stands behind the words."""
    return [
        (change.action, change.piece or "(unfinished)", _price(change), f"{change.words} {change.id}".rstrip())
        for change in changes
    ]


def price_line(changes: Iterable[Change]) -> str:
    """What all of it costs while nothing happens."""
    usd, unknown = usd_per_hour(changes)
    monthly = usd * HOURS_PER_MONTH
    line = f"While nothing happens it costs {usd:.4f} USD an hour, {monthly:.2f} USD a month (list prices)."
    return f"{line} Unknown: {', '.join(unknown)}; say with --price." if unknown else line


def lines_for_settings(design: Design, ids: Mapping[str, str]) -> list[str]:
    """The pool that uses what was made, for `outfield.toml`."""
    place = design.place.split(" ")
    if design.cloud == "aws":
        keys: dict[str, object] = {
            "backend": "aws",
            "region": place[0],
            "subnets": [ids["subnet-a"], ids["subnet-b"]],
            "security_groups": [ids["security-group"]],
            "instance_profile": ids["worker-profile"],
            "launch_template": ids["launch-template"],
        }
    else:
        email = next(piece for piece in design.pieces if piece.name == "worker-account")
        keys = {
            "backend": "gce",
            "project": place[0],
            "zones": [place[1]],
            "network": ids["network"],
            "subnetwork": ids["subnetwork"],
            "instance_template": ids["instance-template"],
            "service_account": f"{ids[email.name]}@{place[0]}.iam.gserviceaccount.com",
        }
    return [f"[pools.{design.cloud}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]


def _price(change: Change) -> str:
    if change.action not in ("make", "there"):
        return ""
    return "?" if change.usd_per_hour is None else f"{change.usd_per_hour:.4f}"
