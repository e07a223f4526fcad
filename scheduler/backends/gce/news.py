"""What Google Cloud has done to our instances of its own accord, read from the operations of each zone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from scheduler.backends.base import Instance, Notice
from scheduler.backends.gce.instances import read_news
from scheduler.backends.gce.naming import zone_and_name

OVERLAP = timedelta(minutes=5)
"""Operations may appear late, and clocks differ: so much is read twice, and told once."""
KNOWN_MAX = 10_000
"""Instances whose intent is remembered after they are gone."""


class News:
    """Remembers what was told, and whose instances were whose. `prefix` is what the names of ours begin with.

    After a restart the news of the last minutes is told once more, without the intents of what is gone by then.
    """

    def __init__(self, prefix: str, now: datetime) -> None:
        self._prefix = prefix
        self._since = now
        self._told: dict[str, datetime] = {}
        self._intents: dict[str, str] = {}

    def know(self, instances: Sequence[Instance]) -> None:
        """Remember whose these are: a notice comes when its instance may be gone already."""
        self._intents |= {instance.id: instance.intent for instance in instances}
        for identity in list(self._intents)[:-KNOWN_MAX]:
            del self._intents[identity]

    def zones(self) -> set[str]:
        """Zones that instances of ours were seen in, whatever the pool's settings say by now."""
        return {zone_and_name(identity)[0] for identity in self._intents}

    def read(self, operations: Iterable[Any]) -> list[Notice]:
        """The notices in a zone's operations, which come newest first; stops at what is too old to be new."""
        found: list[Notice] = []
        for operation in operations:
            began, notice = read_news(operation)
            at = datetime.fromisoformat(began)
            if at < self._since - OVERLAP:
                break
            ours = zone_and_name(notice.instance)[1].startswith(self._prefix)
            if ours and operation.name not in self._told:
                self._told[operation.name] = at
                found.append(replace(notice, intent=self._intents.get(notice.instance, "")))
        return found[::-1]

    def turn_page(self, now: datetime) -> None:
        """All zones have been read up to now."""
        self._since = now
        self._told = {name: at for name, at in self._told.items() if at >= now - 2 * OVERLAP}
