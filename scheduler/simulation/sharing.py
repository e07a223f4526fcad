"""Recent use of the virtual farm by project, followed exactly: every time that a slot is taken or given back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scheduler.domain.shares import RecentUse, advance, fractions


class Sharing:
    """The recent use in one replay. `slot_s` is what each project has had before second 0."""

    def __init__(self, half_life_s: float, slot_s: Mapping[str, float]) -> None:
        self._half_life_s = half_life_s
        self._use = RecentUse(0.0, slot_s)

    def follow(self, held: Mapping[str, float], now_s: float) -> None:
        """These slots have been held since the last time."""
        if now_s > self._use.at_s:
            self._use = advance(self._use, held, now_s, self._half_life_s)

    def parts(self, among: Iterable[str]) -> dict[str, float]:
        """The part, 0 to 1, that each of these projects has had of theirs, as on the farm."""
        return fractions(self._use, among)
