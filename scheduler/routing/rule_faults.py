"""What is wrong with rules, where it stands, and how all of it is told at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from scheduler.errors import Refused
from scheduler.routing.located import Lines

FAULTS_MAX = 100
"""Faults that are told; the rest is left out."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where: `index` counts rules from 0 (None: no single rule), line and column from 1."""

    index: int | None
    line: int
    column: int
    message: str
    name: str | None = None

    def __str__(self) -> str:
        rule = "" if self.index is None else f"rules[{self.index}]" + (f" {self.name!r}" if self.name else "") + ": "
        return f"{self.line}:{self.column}: {rule}{self.message}"


class RuleError(Refused):
    """These rules cannot be used."""

    code = "invalid_rules"
    hint = "Correct the rules and send them again; those that were in force still are."

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults[:FAULTS_MAX])
        first = self.faults[0]
        self.index, self.line, self.column = first.index, first.line, first.column
        more = f" ({len(faults) - 1} more faults are in the details)" if len(faults) > 1 else ""
        details = {
            "index": first.index,
            "line": first.line,
            "column": first.column,
            "faults": [asdict(fault) for fault in self.faults],
        }
        super().__init__(f"The rules are refused: {first}{more}.", details=details)


class Faults:
    """The faults of one text, as they are found. `begin` says which rule the next ones are of."""

    def __init__(self, text: str) -> None:
        self._lines = Lines(text)
        self._found: list[Fault] = []
        self._index: int | None = None
        self._name: str | None = None

    def __len__(self) -> int:
        return len(self._found)

    def begin(self, index: int | None, name: str | None = None) -> None:
        """What follows is about this rule; None: about the text as a whole."""
        self._index, self._name = index, name

    def add(self, offset: int, message: str) -> None:
        """A fault at this place of the text, in characters."""
        self._found.append(Fault(self._index, *self._lines.at(offset), message, self._name))

    def error(self) -> RuleError:
        """All of them, in the order of the text."""
        return RuleError(sorted(self._found, key=lambda fault: (fault.line, fault.column)))
