"""A compiled condition of a rule, the facts that it reads, and how they are handed to CEL.

Source of the language: https://github.com/google/cel-spec. How a text becomes a condition, and what is refused, is
`scheduler.routing.compiling`; what follows from a condition that holds is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cel

from scheduler.routing.vocabulary import ENDLESS_S, SLACK, Fact

QUANTUM_S = 60.0
"""Durations are rounded down to this before a condition sees them, unless it only compares them with numbers."""

TROUBLES = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
"""What evaluating may raise; see the table of exceptions in `cel.evaluate`."""


@dataclass(frozen=True, slots=True)
class Read:
    """A fact that a condition reads. Two conditions with the same reads can share what was looked up.

    `bounds`: all that the condition asks is on which side of these numbers it lies; None: it asks for the value.
    `tested`: the condition asks with `has(…)` whether it is there, so that a gap stays a gap.
    """

    path: str
    fact: Fact
    parts: tuple[str, ...]
    bounds: tuple[float, ...] | None = None
    tested: bool = False
    pool: str | None = None

    def shown(self, value: Any) -> Any:
        """The value as the condition sees it: durations in whole minutes where their exact value is asked for."""
        if self.bounds is None and self.fact.kind == "double" and self.fact.path.endswith("_s") and value < ENDLESS_S:
            return value // QUANTUM_S * QUANTUM_S
        return value


class Condition:
    """A compiled condition. `reads` is sorted by path."""

    def __init__(self, text: str, program: cel.Program, reads: tuple[Read, ...]) -> None:
        self.text, self.reads = text, reads
        self._program = program

    def holds(self, context: cel.Context) -> bool:
        """Whether it holds for the facts in this context.

        Raises:
            TROUBLES: it cannot be told; see `trouble`.
        """
        found = self._program.execute(context)
        if not isinstance(found, bool):
            raise TypeError(f"gives {_name_of(found)} instead of true or false")
        return found


def context_of(reads: Sequence[Read], values: Sequence[Any]) -> cel.Context:
    """What CEL is handed: the facts that are read and no others, nested as they are written."""
    variables: dict[str, Any] = {}
    slack_s: dict[str, float] = {}
    for read, value in zip(reads, values, strict=True):
        node = variables.setdefault(read.parts[0], {})
        if read.pool is not None:
            slack_s[read.pool] = read.shown(value)
            continue
        for part in read.parts[1:-1]:
            node = node.setdefault(part, {})
        if value is not None or not read.tested:
            _put(node, read.parts[-1], read.fact.nothing if value is None else read.shown(value))
    functions: dict[str, Callable[..., Any]] = {}
    if slack_s:
        functions[SLACK] = lambda _job, pool: slack_s[pool]
    return cel.Context(variables=variables, functions=functions)


def _put(node: dict[str, Any], name: str, value: Any) -> None:
    """Set a fact; where all of the metadata is read beside single keys, both stay."""
    if isinstance(value, Mapping) and isinstance(node.get(name), dict):
        node[name] = {**node[name], **value}
    else:
        node[name] = dict(value) if isinstance(value, Mapping) else value


def trouble(error: Exception) -> str:
    """Why a condition cannot be told, in one line."""
    text = str(error)
    if text.startswith(("No such overload", "Unsupported")):
        return "its types do not fit: a text meets a number, or a fact with decimals is added to 60 instead of 60.0"
    if isinstance(error, KeyError):
        return f"there is no {text}"
    first = text.splitlines()[0] if text else type(error).__name__
    return first.removesuffix(".")


def _name_of(value: Any) -> str:
    names = {str: "a text", int: "a number", float: "a number", list: "a list", dict: "a map", type(None): "null"}
    return names.get(type(value), type(value).__name__)
