# SPDX-License-Identifier: Apache-2.0
"""What a job costs, in words, and the cap that an artist sets; no words for a farm that says nothing of it. PURE."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .errors import Refused
from .fields import job_knows
from .texts import tr

FIELD = "cost_cap_usd"
USD_MAX = 1e9
CENT = 0.01


def usd_of(said: Any) -> Optional[float]:
    """A sum in US dollars as people write it (`5`, `2.50`, `2,50`, `5 USD`, `$5`); None where nothing is said.

    Raises:
        Refused: it is no such sum.
    """
    text = str("" if said is None else said).upper().replace("USD", "").replace("$", "").strip().replace(",", ".")
    if not text:
        return None
    try:
        usd = float(text)
    except ValueError:
        usd = -1.0
    if not 0 <= usd <= USD_MAX:
        raise Refused(
            "The cost cap cannot be {said!r}.",
            {"said": said},
            code="bad_cost_cap",
            hint="US dollars, e.g. 2.50; 0: only where it is free; empty: no bound.",
        )
    return usd


def may_be_capped(info: Optional[Dict[str, Any]], said: Any) -> bool:
    """Whether the field for the cap is shown: an older farm does not know it; while the farm is away nobody knows."""
    return bool(said) or not info or job_knows(info, FIELD)


def cost_lines(trial: Dict[str, Any]) -> List[str]:
    """How much work the job is, what it costs and where, as `POST /rules/test` foretells it."""
    cost = trial.get("cost") or {}
    if not cost:
        return []
    lines = [_work(cost), _money(cost)]
    shares = [
        "{} {}".format(each.get("pool", ""), _number(each.get("tasks")))
        for each in cost.get("pools") or []
        if each.get("pool")
    ]
    if len(shares) > 1:
        lines.append(tr("Tasks by pool: {pools}", pools=", ".join(shares)))
    if cost.get("usd") and cost.get("note"):
        lines.append(_sentence(str(cost["note"])))
    return [line for line in lines if line]


def _work(cost: Dict[str, Any]) -> str:
    tasks, hours = cost.get("tasks") or 0, cost.get("machine_hours")
    if not tasks:
        return ""
    if hours is None:
        return tr("Tasks: {tasks}", tasks=tasks)
    return tr("Tasks: {tasks}, machine time: {time}", tasks=tasks, time=_time(float(hours)))


def _money(cost: Dict[str, Any]) -> str:
    usd = cost.get("usd")
    if not usd:
        return tr("Cost not known: {reason}", reason=cost["note"]) if cost.get("note") else ""
    low, likely, high = (float(usd.get(name) or 0.0) for name in ("low", "likely", "high"))
    if high <= 0:
        return tr("Costs nothing")
    if high < CENT:
        return tr("Costs less than {usd} USD", usd=in_usd(CENT))
    text = tr("Costs about {usd} USD", usd=in_usd(likely))
    if in_usd(low) != in_usd(high):
        text += " (" + tr("{low} to {high}", low=in_usd(low), high=in_usd(high)) + ")"
    return text


def in_usd(usd: float) -> str:
    """To the cent."""
    return "{:.2f}".format(usd)


def _time(hours: float) -> str:
    """In the unit that people would take: `8 s`, `12 min`, `3.5 h`."""
    seconds = hours * 3600.0
    if seconds < 90.0:
        return "{:.0f} s".format(max(1.0, seconds))
    return "{:.0f} min".format(seconds / 60.0) if hours < 1.5 else _number(hours) + " h"


def _number(value: Any) -> str:
    return "{:.0f}".format(value) if float(value or 0) >= 10 else "{:.2g}".format(float(value or 0))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
