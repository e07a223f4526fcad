"""Placing by bits: which pools a set of matching rules leaves open, for thousands of steps a tick.

Each rule is a bit. What a rule by itself does to a pool is asked of the same filters as in `scheduler.routing.route`;
together, one rule that says no closes a pool, and one that opens it is enough. It gives no reasons: `route` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from scheduler.routing.machines import Needs
from scheduler.routing.route import (
    FILTERS,
    Pool,
    RouteRequest,
    caps_on,
    fit_of,
    preference,
    score_of,
    stays_home,
    with_tags,
)
from scheduler.routing.rules import NO_EFFECTS, Cap, Effects, Rule, RuleBook, add_up

Key = TypeVar("Key")
Value = TypeVar("Value")

MEMORY_MAX = 50_000
"""Entries of each memory; a full one is emptied."""

ANYTHING = RouteRequest(Needs(""))
"""A request that closes no pool by itself."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a step may run, best first, without the reasons: what leasing needs of a `Route`.

    `needs` are those of the request with the tags that rules require.
    """

    chosen: tuple[str, ...]
    needs: Needs
    caps: tuple[Cap, ...] = ()


class Sieve:
    """A book of rules over the pools there are."""

    def __init__(self, book: RuleBook, pools: Sequence[Pool]) -> None:
        self._rules, self.pools = book.rules, tuple(pools)
        alone = [add_up([rule]) for rule in book.rules]
        self._closing = [_bits(_closes(ANYTHING, pool, effects) for effects in alone) for pool in pools]
        self._opening = [_bits(_opens(pool, effects) for effects in alone) for pool in pools]
        self._home = [pool.needs_no_rule for pool in pools]
        # What a default site is preferred by of itself is no rule's doing.
        bare = [replace(pool, default=False) for pool in pools]
        self._preferring = [_bits(preference(ANYTHING, pool, effects)[0] > 0 for effects in alone) for pool in bare]
        self._tagging = _bits(bool(rule.require_tags) for rule in book.rules)
        self._capping = [_bits(bool(caps_on([pool.name], rule.caps)) for rule in book.rules) for pool in pools]
        self._requests: dict[RouteRequest, int] = {}
        self._open_to: list[tuple[int, ...]] = []
        self._strengths: dict[tuple[str, int], tuple[float, ...]] = {}
        self._caps: dict[tuple[int, int], tuple[Cap, ...]] = {}
        self._touching: dict[int, tuple[int, int]] = {}
        self._chosen: dict[tuple[int, int, tuple[float, ...], int], tuple[tuple[str, ...], Needs]] = {}
        self._placements: dict[tuple[int, int], Placement] = {}
        self._fits: dict[tuple[Needs, int], float] = {}

    def number_of(self, request: RouteRequest) -> int:
        """A small number that stands for a request in `place`, as long as this sieve lives."""
        number = self._requests.get(request)
        if number is None:
            number = self._requests[request] = len(self._requests)
            self._open_to.append(
                tuple(place for place, pool in enumerate(self.pools) if not _closes(request, pool, NO_EFFECTS))
            )
        return number

    @property
    def full(self) -> bool:
        """Whether it remembers so many requests that a new sieve should take its place."""
        return len(self._requests) >= MEMORY_MAX

    def place(self, request: RouteRequest, number: int, mask: int) -> Placement:
        """Where a step may run if the rules of these bits match; `number` is the request's."""
        found = self._placements.get((number, mask))
        return _keep(self._placements, (number, mask), self._place(request, number, mask)) if found is None else found

    def _place(self, request: RouteRequest, number: int, mask: int) -> Placement:
        allowed = 0
        for place in self._open_to[number]:
            if not mask & self._closing[place] and (self._home[place] or mask & self._opening[place]):
                allowed |= 1 << place
        preferring, capping = self._touch(allowed)
        # One pool needs no order.
        strengths = self._strengths_of(request, mask & preferring) if allowed & (allowed - 1) else ()
        tags = mask & self._tagging
        key = (number, allowed, strengths, tags)
        found = self._chosen.get(key)
        if found is None:
            needs = with_tags(request.needs, add_up(self._matching(tags))) if tags else request.needs
            found = _keep(self._chosen, key, (self._best_first(needs, allowed, strengths), needs))
        return Placement(found[0], found[1], self._caps_of(mask & capping, allowed, found[0]))

    def _touch(self, allowed: int) -> tuple[int, int]:
        """The rules that prefer one of the allowed pools, and those that cap one."""
        found = self._touching.get(allowed)
        if found is None:
            preferring = capping = 0
            for place in range(len(self.pools)):
                if allowed >> place & 1:
                    preferring |= self._preferring[place]
                    capping |= self._capping[place]
            found = _keep(self._touching, allowed, (preferring, capping))
        return found

    def _caps_of(self, mask: int, allowed: int, chosen: tuple[str, ...]) -> tuple[Cap, ...]:
        if not mask:
            return ()
        found = self._caps.get((mask, allowed))
        if found is None:
            caps = caps_on(chosen, (cap for rule in self._matching(mask) for cap in rule.caps))
            found = _keep(self._caps, (mask, allowed), caps)
        return found

    def _matching(self, mask: int) -> Iterator[Rule]:
        while mask:
            bit = mask & -mask
            yield self._rules[bit.bit_length() - 1]
            mask ^= bit

    def _strengths_of(self, request: RouteRequest, mask: int) -> tuple[float, ...]:
        key = (request.cloud, mask)
        found = self._strengths.get(key)
        if found is None:
            effects = add_up(self._matching(mask))
            strengths = tuple(preference(request, pool, effects)[0] for pool in self.pools)
            found = _keep(self._strengths, key, strengths)
        return found

    def _best_first(self, needs: Needs, allowed: int, strengths: tuple[float, ...]) -> tuple[str, ...]:
        scored: list[tuple[float, str]] = []
        for place, pool in enumerate(self.pools):
            if allowed >> place & 1:
                fit = self._fits.get((needs, place))
                if fit is None:
                    fit = _keep(self._fits, (needs, place), fit_of(needs, pool)[1])
                scored.append((-score_of(pool, strengths[place] if strengths else 0.0, fit), pool.name))
        return tuple(name for _score, name in sorted(scored))


def _closes(request: RouteRequest, pool: Pool, effects: Effects) -> bool:
    """Whether this closes a pool that is open."""
    return any(no(request, pool, effects) is not None for no in FILTERS if no is not stays_home)


def _opens(pool: Pool, effects: Effects) -> bool:
    return stays_home(ANYTHING, pool, effects) is None


def _keep(memory: dict[Key, Value], key: Key, value: Value) -> Value:
    if len(memory) >= MEMORY_MAX:
        memory.clear()
    memory[key] = value
    return value


def _bits(flags: Iterator[bool]) -> int:
    return sum(1 << number for number, flag in enumerate(flags) if flag)
