"""Rules and the book that holds them: which of them match a job's facts, and what the matching ones add up to.

Pure and immutable: a changed rule is a new book. Reading rules from text is `scheduler.routing.reading_rules`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from scheduler.routing.conditions import TROUBLES, Condition, Read, context_of, trouble
from scheduler.routing.facts import Facts, freeze, value_of

EVERY_POOL = "*"
"""Stands for every pool in allow, forbid and prefer."""

CloudPolicy = Literal["allow", "prefer", "never"]

ACTIONS = ("allow", "forbid", "prefer", "cap", "require_tags", "cloud")


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many slots, or such a share of a pool's slots, for all jobs that match a rule together."""

    rule: str
    pool: str
    slots: int | None = None
    share: float | None = None

    def slots_of(self, pool_slots: int) -> int:
        """The cap in slots of a pool that has `pool_slots`."""
        own = pool_slots if self.slots is None else self.slots
        return own if self.share is None else min(own, int(self.share * pool_slots))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: for jobs that match `when`, its actions hold. `data` is the rule as it was written."""

    name: str
    condition: Condition | None = None
    allow: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    caps: tuple[Cap, ...] = ()
    require_tags: tuple[str, ...] = ()
    cloud: CloudPolicy | None = None
    note: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reads(self) -> tuple[Read, ...]:
        """The facts that its condition reads."""
        return self.condition.reads if self.condition is not None else ()


@dataclass(frozen=True, slots=True)
class Effects:
    """What the matching rules add up to: for each pool the first rule that says so, in the order of the book."""

    rules: tuple[str, ...] = ()
    allow: Mapping[str, str] = field(default_factory=dict)
    forbid: Mapping[str, str] = field(default_factory=dict)
    prefer: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    caps: tuple[Cap, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    cloud: Mapping[CloudPolicy, str] = field(default_factory=dict)

    def by(self, pools: Mapping[str, str], pool: str) -> str | None:
        """The rule that names this pool, or every pool."""
        return pools.get(pool) or pools.get(EVERY_POOL)

    def preference(self, pool: str) -> tuple[float, str | None]:
        """How strongly rules prefer a pool, 0 to 1, and the rule that says so."""
        found = [self.prefer[name] for name in (pool, EVERY_POOL) if name in self.prefer]
        return max(found) if found else (0.0, None)


NO_EFFECTS = Effects()


@dataclass(frozen=True)
class Match:
    """The rules that match, in order, and why others could not be told."""

    rules: tuple[Rule, ...] = ()
    troubles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RuleBook:
    """A version of the rules, in the order in which they were written. Version 0: there are none yet."""

    version: int = 0
    rules: tuple[Rule, ...] = ()

    def match(self, facts: Facts) -> Match:
        """Which rules match. One that fails does not match, and the reason is kept."""
        matching: list[Rule] = []
        troubles: dict[str, str] = {}
        for rule in self.rules:
            values = [value_of(facts, read) for read in rule.reads]
            held, why = matches(rule, values)
            if held:
                matching.append(rule)
            if why:
                troubles[rule.name] = why
        return Match(tuple(matching), troubles)

    @property
    def reads(self) -> tuple[Read, ...]:
        """Every fact that some rule reads."""
        return tuple(dict.fromkeys(read for rule in self.rules for read in rule.reads))


EMPTY_BOOK = RuleBook()


def matches(rule: Rule, values: Sequence[Any], context: Any = None) -> tuple[bool, str]:
    """Whether a rule matches these values of its reads, and why it cannot be told."""
    if rule.condition is None:
        return True, ""
    try:
        return rule.condition.holds(context if context is not None else context_of(rule.reads, values)), ""
    except TROUBLES as error:
        return False, trouble(error)


def add_up(rules: Iterable[Rule]) -> Effects:
    """The effects of matching rules together. Order settles only which rule is named, and that of preferences."""
    allow: dict[str, str] = {}
    forbid: dict[str, str] = {}
    prefer: dict[str, tuple[float, str]] = {}
    tags: dict[str, str] = {}
    cloud: dict[CloudPolicy, str] = {}
    caps: list[Cap] = []
    names: list[str] = []
    for rule in rules:
        names.append(rule.name)
        for pool in rule.allow:
            allow.setdefault(pool, rule.name)
        for pool in rule.forbid:
            forbid.setdefault(pool, rule.name)
        for place, pool in enumerate(rule.prefer):
            strength = 1.0 / (1 + place)
            if pool not in prefer or strength > prefer[pool][0]:
                prefer[pool] = (strength, rule.name)
        for tag in rule.require_tags:
            tags.setdefault(tag, rule.name)
        if rule.cloud is not None:
            cloud.setdefault(rule.cloud, rule.name)
        caps += rule.caps
    return Effects(tuple(names), allow, forbid, prefer, tuple(caps), tags, cloud)


def key_of(read: Read, value: Any) -> Any:
    """A value as part of the key under which results are remembered; it says no more than the condition can see.

    A fact that is only compared with numbers counts by its side of each of them.
    """
    if read.bounds is not None:
        return bisect_left(read.bounds, value) + bisect_right(read.bounds, value)
    return freeze(read.shown(value) if value is not None else None)
