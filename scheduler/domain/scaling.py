"""How many workers a pool should have: the decision, as data. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scaling:
    """What is to be done about a pool: how many instances to launch, which (provider's ids) to retire, and why."""

    pool: str
    launch: int
    retire: tuple[str, ...]
    reasons: tuple[str, ...]
