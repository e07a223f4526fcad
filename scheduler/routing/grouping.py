"""Rules that read the same facts, asked together: one look at the facts answers for all of them, as bits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from scheduler.routing.conditions import Read, context_of
from scheduler.routing.rules import Rule, matches
from scheduler.routing.vocabulary import Pace

MEMORY_MAX = 50_000
"""Sets of values remembered for each group; a full memory is emptied."""

TABLES_MAX = 1000
"""Sets of shared values remembered for each group."""


Table = dict[Any, int]
"""Which rules match (bit n: rule n of the book), by the key of a job's values."""


class RuleGroup:
    """Rules with the same reads, and which of them match for the values seen so far.

    `fixed`, `moving` and `shared` are the places of its reads among all reads of that pace, `places` all of them. What
    was found is kept in a table for each key of the shared facts, so that a whole queue is looked up in one table.
    """

    def __init__(self, reads: tuple[Read, ...], rules: Sequence[tuple[int, Rule]]) -> None:
        self.reads, self.rules = reads, tuple(rules)
        self.paces: frozenset[Pace] = frozenset(read.fact.pace for read in reads)
        self.places: tuple[tuple[Pace, int], ...] = ()
        self.fixed: tuple[int, ...] = ()
        self.moving: tuple[int, ...] = ()
        self.shared: tuple[int, ...] = ()
        self._tables: dict[Any, Table] = {}
        self._remembered = 0

    def find_places(self, fixed: Sequence[Read], moving: Sequence[Read], shared: Sequence[Read]) -> None:
        """Note where the reads stand among all reads of their pace."""
        every: dict[Pace, Sequence[Read]] = {"fixed": fixed, "moving": moving, "shared": shared}
        self.places = tuple((read.fact.pace, every[read.fact.pace].index(read)) for read in self.reads)
        self.fixed, self.moving, self.shared = (
            tuple(place for own, place in self.places if own == pace) for pace in every
        )

    def table(self, shared_key: Any) -> Table:
        """What is remembered under these shared facts."""
        if len(self._tables) >= TABLES_MAX:
            self._forget()
        return self._tables.setdefault(shared_key, {})

    def ask(self, table: Table, key: Any, values: Sequence[Any], troubles: dict[str, str]) -> int:
        """The matching rules for values that were not seen before; why some cannot be told goes into `troubles`."""
        if self._remembered >= MEMORY_MAX:
            self._forget()
        context = context_of(self.reads, values) if self.reads else None
        mask = 0
        for bit, rule in self.rules:
            held, why = matches(rule, values, context)
            if held:
                mask |= bit
            if why:
                troubles[rule.name] = why
        table[key] = mask
        self._remembered += 1
        return mask

    def _forget(self) -> None:
        """Empty every table; those in use are the same objects."""
        for table in self._tables.values():
            table.clear()
        self._tables.clear()
        self._remembered = 0


def group_rules(rules: Sequence[Rule]) -> list[RuleGroup]:
    """The rules by what they read."""
    joined = _joined(rules)
    groups: dict[tuple[Read, ...], list[tuple[int, Rule]]] = {}
    for number, rule in enumerate(rules):
        reads = tuple(joined[_sameness(read)] for read in rule.reads)
        groups.setdefault(reads, []).append((1 << number, rule))
    return [RuleGroup(reads, members) for reads, members in groups.items()]


def reads_at(groups: Iterable[RuleGroup], pace: Pace) -> tuple[Read, ...]:
    """All reads of a pace, each once."""
    return tuple(dict.fromkeys(read for group in groups for read in group.reads if read.fact.pace == pace))


def _sameness(read: Read) -> tuple[Any, ...]:
    """What two reads have in common that differ at most in the numbers they compare with."""
    return read.path, read.fact.path, read.tested, read.bounds is None


def _joined(rules: Iterable[Rule]) -> dict[tuple[Any, ...], Read]:
    """One read for all rules that only compare the same fact with numbers, with all of their numbers as bounds."""
    found: dict[tuple[Any, ...], Read] = {}
    for read in (read for rule in rules for read in rule.reads):
        same = _sameness(read)
        known = found.setdefault(same, read)
        if known.bounds is not None and read.bounds is not None and known.bounds != read.bounds:
            found[same] = replace(known, bounds=tuple(sorted({*known.bounds, *read.bounds})))
    return found
