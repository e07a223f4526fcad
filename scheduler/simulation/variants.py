"""Variants: by what order and by which rules a trace is replayed. Two orders exist for comparison only.

`edf` (naive earliest deadline first) and `priority` (plain priority, then age) are what farms do that have no formula;
everything else is the farm's own `domain.ranking` with a policy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from scheduler.domain.ranking import Policy, RankInput, rank
from scheduler.errors import Refused
from scheduler.settings import PolicySettings
from scheduler.simulation.queueing import StepRun

Order = Literal["policy", "edf", "priority"]

DEFAULT = "default"
VARIANTS_MAX = 32


class VariantError(Refused):
    """The policy cannot be read."""

    code = "invalid_policy"
    hint = "Write edf, priority, default, KEY=VALUE,… or the name of a TOML file with a [policy] table."


@dataclass(frozen=True)
class Ordering:
    """An order by name, with its policy where it has one."""

    name: str
    order: Order = "policy"
    policy: Policy = field(default_factory=Policy)
    share_half_life_s: float = 3600.0


def queue_in_order(
    steps: Sequence[StepRun], ordering: Ordering, use: Mapping[str, float], now_s: float
) -> list[StepRun]:
    """The steps, best first."""
    if ordering.order == "edf":
        return sorted(steps, key=_by_deadline)
    if ordering.order == "priority":
        return sorted(steps, key=_by_priority)
    by_number = {step.number: step for step in steps}
    inputs = (
        RankInput(
            step.number,
            step.job.index,
            step.job.priority,
            step.job.work.submitted_s,
            step.work.level,
            step.job.work.line.project,
            step.job.slack_s,
            step.job.work.line.boost,
        )
        for step in steps
    )
    return [by_number[placed.step] for placed in rank(inputs, ordering.policy, use, now_s)]


def read_ordering(text: str) -> Ordering:
    """What `--policy` names: `edf`, `priority`, `default`, `key=value,…` (shares as `shares.PROJECT=WEIGHT`) or a file.

    Raises:
        VariantError: it is none of these, or a value is wrong.
    """
    if text in ("edf", "priority"):
        return Ordering(text, "edf" if text == "edf" else "priority")
    if text == DEFAULT:
        return ordering_of(text, {})
    if "=" in text and not Path(text).is_file():
        return ordering_of(text, _pairs(text))
    return ordering_of(Path(text).stem, _file(Path(text)))


def ordering_of(name: str, values: Mapping[str, Any]) -> Ordering:
    """An ordering by the farm's formula, from what a `[policy]` table holds.

    Raises:
        VariantError: an unknown key or a value out of bounds.
    """
    try:
        settings = PolicySettings.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(PolicySettings.model_fields)
        raise VariantError(f"policy {name!r}: {where}: {first['msg']}.", details={"known": known}) from error
    told = settings.model_dump()
    policy = Policy(**{part.name: told[part.name] for part in fields(Policy) if part.name in told})
    return Ordering(name, "policy", policy, settings.share_half_life_s)


def _file(path: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise VariantError(f"{path} is neither a policy's name nor a file that can be read.") from error
    except tomllib.TOMLDecodeError as error:
        raise VariantError(f"{path}: {error}.") from error
    table = data.get("policy", data)
    if not isinstance(table, dict):
        raise VariantError(f"{path}: [policy] must be a table.")
    return table


def _pairs(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for pair in text.split(","):
        key, mark, value = pair.strip().partition("=")
        if not mark or not key:
            raise VariantError(f"policy {text!r}: {pair!r} is not KEY=VALUE.")
        if key.startswith("shares."):
            values.setdefault("shares", {})[key.removeprefix("shares.")] = value
        else:
            values[key] = value
    return values


def _by_deadline(step: StepRun) -> tuple[float, float, int, int, int]:
    deadline_s = step.job.deadline_s
    return (
        float("inf") if deadline_s is None else deadline_s,
        step.job.work.submitted_s,
        step.job.index,
        -step.work.level,
        step.number,
    )


def _by_priority(step: StepRun) -> tuple[float, float, int, int, int]:
    return -step.job.priority, step.job.work.submitted_s, step.job.index, -step.work.level, step.number
