"""Routing of a whole queue, tick after tick: the same choice as `route`, with what was found out before remembered.

Ten thousand jobs under two hundred rules are two million conditions; nearly all of them were answered a tick ago. Rules
that read the same facts are asked together, once for each set of values (of a number that is only compared, the side of
each bound it lies on), and a job is looked at again only when something that some rule reads of it has changed. All
memories are bounded. The router belongs to one thread; it reads no clock and does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from scheduler.routing.conditions import Read
from scheduler.routing.facts import Facts, typed, value_of
from scheduler.routing.grouping import RuleGroup, Table, group_rules, reads_at
from scheduler.routing.route import Pool, RouteRequest
from scheduler.routing.rules import EMPTY_BOOK, RuleBook, key_of
from scheduler.routing.sieve import Placement, Sieve
from scheduler.routing.vocabulary import ENDLESS_S, Pace

GONE_MAX = 100
"""Jobs that may have left the queue before they are forgotten, beside as many as are in it."""

ONLY_SHARED: frozenset[Pace] = frozenset({"shared"})


Column = Sequence[Any] | npt.NDArray[np.float64]
"""What moves, one value for each step of a queue."""


class JobFacts:
    """The facts of one job that stay the same as long as it lives. Keep the object: the router knows it again."""

    __slots__ = ("facts",)

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.facts = Facts(job=job)


@dataclass(slots=True)
class RouteItem:
    """One step to be placed: its request and what is fixed about its job (keep both objects), and what moves.

    `moving` holds the values of `Router.moving_paths` in that order; None: not known.
    """

    request: RouteRequest
    job: JobFacts
    moving: Sequence[Any] = ()


@dataclass(slots=True)
class _Known:
    """What was found out about one job: the rules that match for good, and the rest with what it was found from."""

    fixed_mask: int
    fixed_values: tuple[Any, ...]
    fixed_keys: tuple[tuple[Any, ...], ...]
    moving_key: Any = None
    own_mask: int = 0
    mixed_keys: list[Any] = field(default_factory=list[Any])
    mixed_masks: list[int] = field(default_factory=list[int])
    stamp: int = -1
    mask: int = -1
    request: RouteRequest | None = None
    number: int = -1
    sieve: Sieve | None = None
    placement: Placement | None = None


class Router:
    """Places steps under one book of rules. Make a new one when the book changes.

    `troubles` maps rules that could not be told for some job to the reason, as last seen.
    """

    def __init__(self, book: RuleBook = EMPTY_BOOK) -> None:
        self.book = book
        self.troubles: dict[str, str] = {}
        groups = group_rules(book.rules)
        self._fixed_reads, self._moving_reads, self._shared_reads = (
            reads_at(groups, pace) for pace in ("fixed", "moving", "shared")
        )
        for group in groups:
            group.find_places(self._fixed_reads, self._moving_reads, self._shared_reads)
        self._fixed = [group for group in groups if group.paces <= {"fixed"}]
        self._shared = [group for group in groups if group.paces == ONLY_SHARED]
        self._moving = [group for group in groups if "moving" in group.paces and "shared" not in group.paces]
        self._mixed = [group for group in groups if "shared" in group.paces and group.paces != ONLY_SHARED]
        self._columns = _Columns(self._moving_reads)
        self._moving_columns: list[Column | None] = []
        self._known: dict[JobFacts, _Known] = {}
        self._sieve = Sieve(book, ())
        self._shared_values: tuple[Any, ...] = ()
        self._shared_key: tuple[Any, ...] | None = None
        self._shared_mask = 0
        self._fixed_tables = [group.table(()) for group in self._fixed]
        self._moving_tables = [group.table(()) for group in self._moving]
        self._mixed_tables: list[Table] = [{} for _group in self._mixed]
        self._changed: list[int] = []
        self._stamp = 0

    @property
    def moving_paths(self) -> tuple[str, ...]:
        """What the rules read of what moves, e.g. `job.priority` or `job.deadline_slack_s(onprem)`."""
        return tuple(read.path for read in self._moving_reads)

    def place_all(
        self,
        items: Sequence[RouteItem],
        pools: Sequence[Pool],
        shared: Facts,
        columns: Mapping[str, Column] | None = None,
    ) -> list[Placement]:
        """Where each step of a queue may run, in its order. Of `shared`, pools, budget and the clock are read.

        `columns` may hold what moves, in the place of `RouteItem.moving`: for each path a list or an array with one
        value for each item (None or NaN: not known). Arrays are quicker than ten thousand rows.
        """
        self._begin(tuple(pools), shared)
        if columns is None:
            self._moving_columns = [[item.moving[place] for item in items] for place in range(len(self._moving_reads))]
        else:
            self._moving_columns = [columns.get(read.path) for read in self._moving_reads]
        keys = self._columns.keys(self._moving_columns, len(items))
        every, stamp, sieve = self._known, self._stamp, self._sieve
        placements: list[Placement] = []
        for step, (item, key) in enumerate(zip(items, keys, strict=True)):
            known = every.get(item.job)
            if known is None:
                known = every[item.job] = self._first_look(item.job)
            if known.moving_key != key or known.stamp < 0:
                self._match(step, key, known)
            elif known.stamp != stamp:
                self._match_shared(step, known)
            placement = known.placement
            if placement is None or known.request is not item.request or known.sieve is not sieve:
                placement = self._place(item.request, known)
            placements.append(placement)
        if len(every) > 2 * len(items) + GONE_MAX:
            self._known = {item.job: every[item.job] for item in items}
        return placements

    def _begin(self, pools: tuple[Pool, ...], shared: Facts) -> None:
        """Take up what is the same for all jobs at this tick."""
        if pools != self._sieve.pools or self._sieve.full:
            self._sieve = Sieve(self.book, pools)
        values = tuple(value_of(shared, read) for read in self._shared_reads)
        key = tuple(key_of(read, value) for read, value in zip(self._shared_reads, values, strict=True))
        self._shared_values = values
        if key == self._shared_key:
            return
        self._shared_key = key
        self._stamp += 1
        tables = [group.table(tuple([key[place] for place in group.shared])) for group in self._mixed]
        self._changed = [
            place for place, (old, new) in enumerate(zip(self._mixed_tables, tables, strict=True)) if old is not new
        ]
        self._mixed_tables = tables
        self._shared_mask = 0
        for group in self._shared:
            table = group.table(tuple([key[place] for place in group.shared]))
            found = table.get(())
            self._shared_mask |= self._ask(group, table, (), ()) if found is None else found

    def _first_look(self, job: JobFacts) -> _Known:
        values = tuple([value_of(job.facts, read) for read in self._fixed_reads])
        keys = [key_of(read, value) for read, value in zip(self._fixed_reads, values, strict=True)]
        mask = 0
        for group, table in zip(self._fixed, self._fixed_tables, strict=True):
            own = tuple([keys[place] for place in group.fixed])
            found = table.get(own)
            mask |= self._ask(group, table, own, values) if found is None else found
        rest = (*self._moving, *self._mixed)
        return _Known(mask, values, tuple([tuple([keys[place] for place in group.fixed]) for group in rest]))

    def _match(self, step: int, key: Any, known: _Known) -> None:
        """Find the matching rules of a job whose own facts have changed."""
        sides, mask = self._columns.sides(key), known.fixed_mask
        for group, table, own in zip(self._moving, self._moving_tables, known.fixed_keys, strict=False):
            asked = (own, *[sides[i] for i in group.moving])
            found = table.get(asked)
            mask |= self._ask(group, table, asked, known.fixed_values, step) if found is None else found
        known.own_mask, known.moving_key = mask, key
        fixed_keys = known.fixed_keys[len(self._moving) :]
        known.mixed_keys = [
            (own, *[sides[i] for i in group.moving]) for group, own in zip(self._mixed, fixed_keys, strict=True)
        ]
        known.mixed_masks = [-1] * len(self._mixed)
        self._match_mixed(step, known, range(len(self._mixed)))

    def _match_shared(self, step: int, known: _Known) -> None:
        """Find them anew where only shared facts have changed since the tick before."""
        self._match_mixed(step, known, self._changed if known.stamp == self._stamp - 1 else range(len(self._mixed)))

    def _match_mixed(self, step: int, known: _Known, places: Iterable[int]) -> None:
        masks, keys, tables = known.mixed_masks, known.mixed_keys, self._mixed_tables
        for place in places:
            table, key = tables[place], keys[place]
            found = table.get(key)
            masks[place] = (
                self._ask(self._mixed[place], table, key, known.fixed_values, step) if found is None else found
            )
        mask = known.own_mask | self._shared_mask
        for part in masks:
            mask |= part
        known.stamp = self._stamp
        if mask != known.mask:
            known.mask, known.placement = mask, None

    def _ask(self, group: RuleGroup, table: Table, key: Any, fixed: Sequence[Any], step: int = 0) -> int:
        """Ask a group for values that it has not seen."""
        values: list[Any] = []
        for pace, place in group.places:
            if pace == "fixed":
                values.append(fixed[place])
            elif pace == "shared":
                values.append(self._shared_values[place])
            else:
                column = self._moving_columns[place]
                values.append(moving_value(self._moving_reads[place], None if column is None else column[step]))
        return group.ask(table, key, values, self.troubles)

    def _place(self, request: RouteRequest, known: _Known) -> Placement:
        if known.request is not request or known.sieve is not self._sieve:
            known.request, known.sieve, known.number = request, self._sieve, self._sieve.number_of(request)
        known.placement = self._sieve.place(request, known.number, known.mask)
        return known.placement


def moving_value(read: Read, value: Any) -> Any:
    """A moving fact as its condition sees it."""
    if value is None or value != value:  # noqa: PLR0124 - NaN, which an array has where a list has None
        return ENDLESS_S if read.pool is not None else typed(None, read.fact)
    return typed(value, read.fact)


class _Columns:
    """The moving facts of a queue as keys that tell whether anything has changed for some rule.

    Numbers that are only compared become the number of their interval, all jobs at once; the rest is taken as it is.
    """

    def __init__(self, reads: Sequence[Read]) -> None:
        self._reads = tuple(reads)
        self._sided = [place for place, read in enumerate(reads) if read.bounds is not None]
        self._others = [place for place, read in enumerate(reads) if read.bounds is None]

    def keys(self, columns: Sequence[Column | None], count: int) -> list[Any]:
        """One key for each job."""
        if not self._reads:
            return [()] * count
        cells = np.empty((count, len(self._sided)), dtype=np.int32)
        for number, place in enumerate(self._sided):
            cells[:, number] = _intervals(self._reads[place], columns[place])
        width = cells.itemsize * len(self._sided)
        packed = cells.tobytes()
        codes = [packed[at * width : (at + 1) * width] for at in range(count)]
        if not self._others:
            return codes
        others = [(self._reads[place], columns[place]) for place in self._others]
        return [
            (
                code,
                *[key_of(read, moving_value(read, None if column is None else column[at])) for read, column in others],
            )
            for at, code in enumerate(codes)
        ]

    def sides(self, key: Any) -> Sequence[Any]:
        """The parts of a key in the order of the reads."""
        if not self._others:
            return np.frombuffer(key, dtype=np.int32).tolist() if key else ()
        found: list[Any] = [None] * len(self._reads)
        for place, side in zip(self._sided, np.frombuffer(key[0], dtype=np.int32).tolist(), strict=True):
            found[place] = side
        for place, part in zip(self._others, key[1:], strict=True):
            found[place] = part
        return found


def _intervals(read: Read, column: Column | None) -> Any:
    """The number of the interval between the read's bounds that each value lies in; a bound is one of its own."""
    values = np.array(read.fact.nothing if column is None else column, dtype=np.float64)  # None becomes NaN
    values = np.where(np.isnan(values), read.fact.nothing, values)
    if read.fact.kind == "int":
        values = np.trunc(values)
    return np.searchsorted(read.bounds or (), values, "left") + np.searchsorted(read.bounds or (), values, "right")
