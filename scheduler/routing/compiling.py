"""From a text to a condition: compiled from CEL, checked against the vocabulary, and tried out before it is used.

What is found without a job's facts: wrong syntax, unknown facts and functions, and (by trying values around those that
the text compares with) results that are not true or false and types that cannot be compared. Every flaw has its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cel

from scheduler.routing.conditions import TROUBLES, Condition, Read, context_of, trouble
from scheduler.routing.expressions import Call, Expression, Reading, analyse
from scheduler.routing.vocabulary import (
    ENDLESS_S,
    FUNCTIONS,
    MACROS,
    METHODS_ONLY,
    ROOTS,
    SLACK,
    TYPES,
    Fact,
    Names,
    Unknown,
    nearest,
    resolve,
)

WHEN_CHARS_MAX = 2000
"""Characters of one condition."""

MACROS_MAX = 2
"""Macros in one condition: each may go through a list, so that more of them could take long."""

TRIALS_MAX = 64
"""Sets of values that a new condition is tried with."""

LIST_TRIED = 4
"""Entries of a list that a new condition is tried with."""

PARSE_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)")


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a condition, and at which character of its text."""

    offset: int
    message: str


class ConditionError(ValueError):
    """A condition that cannot be used; `flaws` says why, in the order of the text."""

    def __init__(self, flaws: Iterable[Flaw]) -> None:
        self.flaws = tuple(sorted(flaws, key=lambda flaw: flaw.offset))
        super().__init__(self.flaws[0].message)


def compile_condition(text: str, names: Names) -> Condition:
    """Read a condition and try it out.

    Raises:
        ConditionError: with the place of every flaw.
    """
    if len(text) > WHEN_CHARS_MAX:
        raise ConditionError([Flaw(WHEN_CHARS_MAX, f"a condition has at most {WHEN_CHARS_MAX} characters")])
    try:
        program = cel.compile(text)
    except ValueError as error:
        raise ConditionError([_syntax_flaw(text, str(error))]) from error
    expression = analyse(text)
    flaws = [*_call_flaws(expression), *_bound_flaws(text, expression)]
    reads, fact_flaws = _reads(expression, names)
    flaws += fact_flaws
    if flaws:
        raise ConditionError(flaws)
    condition = Condition(text, program, reads)
    _try_out(condition, expression)
    return condition


# ---- Checks --------------------------------------------------------------------------------------------------------


def _syntax_flaw(text: str, error: str) -> Flaw:
    match = PARSE_ERROR.search(error)
    if match is None:
        return Flaw(0, f"not CEL: {error.splitlines()[0]}")
    line, column, words = int(match[1]), int(match[2]), match[3]
    lines = text.split("\n")
    offset = sum(len(before) + 1 for before in lines[: line - 1]) + column - 1
    if "Recursion limit" in words:
        return Flaw(min(offset, len(text)), "the condition is nested too deeply")
    plain = words.partition(" expecting ")[0].replace("mismatched input '<EOF>'", "the condition ends too early")
    if re.search(r"token recognition error at: '=[^=]", words):
        plain = "write == to compare"
    return Flaw(min(offset, len(text)), f"not CEL: {plain}")


def _call_flaws(expression: Expression) -> Iterator[Flaw]:
    slacks = sum(1 for reading in expression.readings if reading.path == ("job",) and reading.method == SLACK)
    macros = [call for call in expression.calls if call.name in MACROS]
    if len(macros) > MACROS_MAX:
        yield Flaw(macros[MACROS_MAX].offset, f"a condition has at most {MACROS_MAX} of {', '.join(sorted(MACROS))}")
    for call in expression.calls:
        if call.name == SLACK:
            slacks -= 1
            if slacks < 0:
                yield Flaw(call.offset, f'it is called as job.{SLACK}("onprem")')
        elif call.name not in FUNCTIONS:
            yield Flaw(call.offset, f"there is no function {call.name!r}{nearest(call.name, (*FUNCTIONS, SLACK))}")
        elif call.name in METHODS_ONLY and not call.method:
            yield Flaw(call.offset, f"{call.name} is called on a value: job.name.{call.name}(…)")


def _bound_flaws(text: str, expression: Expression) -> Iterator[Flaw]:
    for name in sorted(expression.bound_names & {*ROOTS, *TYPES}):
        found = re.search(rf"\(\s*{name}\s*,", text)
        yield Flaw(found.start() if found else 0, f"{name!r} is a fact already: give the macro another name")


def _reads(expression: Expression, names: Names) -> tuple[tuple[Read, ...], list[Flaw]]:
    """The facts that are read, one entry each, and the names that are none."""
    flaws: list[Flaw] = []
    found: dict[str, list[tuple[Reading, Fact, str | None]]] = {}
    for reading in expression.readings:
        if reading.path[0] in TYPES and len(reading.path) == 1:
            continue
        try:
            path, fact, pool = _fact_of(reading, names)
        except Unknown as error:
            offset = reading.offsets[error.part] if error.part >= 0 else _slack_offset(reading, expression.calls)
            flaws.append(Flaw(offset, error.message))
        else:
            found.setdefault(path, []).append((reading, fact, pool))
    return tuple(_merged(path, uses) for path, uses in sorted(found.items())), flaws


def _fact_of(reading: Reading, names: Names) -> tuple[str, Fact, str | None]:
    if reading.path == ("job",) and reading.method == SLACK:
        pool = reading.argument
        if pool is None:
            raise Unknown(-1, f'{SLACK} takes the name of a pool in quotes: job.{SLACK}("onprem")')
        if names.pools is not None and pool not in names.pools:
            raise Unknown(-1, f"there is no pool {pool!r}{nearest(pool, names.pools)}")
        path = f"job.{SLACK}({pool})"
        return path, Fact(path.replace(f"({pool})", ""), "double", "moving", "slack", ENDLESS_S), pool
    if reading.path == ("job", SLACK):
        raise Unknown(1, f'call it with the name of a pool: job.{SLACK}("onprem")')
    path, fact = resolve(reading.path, names)
    return path, fact, None


def _slack_offset(reading: Reading, calls: Sequence[Call]) -> int:
    return next(call.offset for call in calls if call.name == SLACK and call.offset > reading.offsets[0])


def _merged(path: str, uses: Sequence[tuple[Reading, Fact, str | None]]) -> Read:
    """All uses of one fact in a condition as one read; its bounds only if every use is a comparison with a number."""
    _first, fact, pool = uses[0]
    bounds = {reading.bound for reading, _fact, _pool in uses}
    numbers = tuple(sorted(bound for bound in bounds if bound is not None))
    sided = fact.kind in {"int", "double"} and None not in bounds
    tested = any(reading.tested for reading, _fact, _pool in uses)
    parts = ("job",) if pool is not None else uses[0][0].path
    return Read(path, fact, parts, numbers if sided else None, tested, pool)


# ---- Trying out ----------------------------------------------------------------------------------------------------


def _try_out(condition: Condition, expression: Expression) -> None:
    """Ask with values around those that the text names.

    Raises:
        ConditionError: the result is not true or false, types do not fit, or it fails whatever the values are.
    """
    lenient = any(read.fact.kind == "open" for read in condition.reads)
    failures: list[str] = []
    trials, hopeless = 0, not condition.reads
    for values in _trials(condition.reads, _literals(expression)):
        trials += 1
        try:
            condition.holds(context_of(condition.reads, values))
        except TROUBLES as error:
            failures.append(trouble(error))
            hopeless = hopeless or not isinstance(error, LookupError)  # a list may be longer than those tried
            wrong = isinstance(error, TypeError) and (not lenient or failures[-1].startswith("gives "))
            if wrong or type(error) is RuntimeError:
                raise ConditionError([Flaw(0, failures[-1])]) from error
    if trials == len(failures) and hopeless:
        raise ConditionError([Flaw(0, f"it cannot be told for any job: {failures[0]}")])


def _literals(expression: Expression) -> dict[tuple[str, ...], list[Any]]:
    found: dict[tuple[str, ...], list[Any]] = {}
    for reading in expression.readings:
        if reading.literal is not None and not reading.method:
            found.setdefault(reading.path, []).append(reading.literal)
    return found


def _trials(reads: Sequence[Read], literals: Mapping[tuple[str, ...], list[Any]]) -> Iterator[list[Any]]:
    choices = [_choices(read, literals.get(read.parts, [])) for read in reads]
    total = 1
    for choice in choices:
        total *= len(choice)
    stride = 1 if total <= TRIALS_MAX else total // TRIALS_MAX | 1
    for trial in range(min(total, TRIALS_MAX)):
        rest, values = trial * stride % total, list[Any]()
        for choice in choices:
            rest, at = divmod(rest, len(choice))
            values.append(choice[at])
        yield values


def _choices(read: Read, literals: Sequence[Any]) -> list[Any]:
    kind, empty = read.fact.kind, read.fact.nothing
    if read.parts == ("job", "metadata"):
        return [{}, {"name": "text"}]
    if kind == "text":
        return [empty, *(text for text in literals if isinstance(text, str)), "text"]
    if kind == "bool":
        return [False, True]
    if kind == "texts":
        return [(), (*(text for text in literals if isinstance(text, str)), *["text"] * LIST_TRIED)]
    if kind == "open":
        return [None, *literals, "text", 1, True]
    cast = int if kind == "int" else float
    numbers = [*(read.bounds or ()), *(n for n in literals if isinstance(n, int | float))]
    return [empty, *(cast(n + step) for n in numbers for step in (-1, 0, 1)), cast(1)]
