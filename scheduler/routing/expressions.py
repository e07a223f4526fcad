"""What a condition's text reads, found without running it: facts with their places, calls, and bounds of comparisons.

CEL's own parser (`cel.compile`) judges the syntax first; this looks at the words of a text that is known to be CEL, to
name a fact or function that does not exist, and to learn which numbers a fact is compared with. It judges no types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cel

from scheduler.routing.vocabulary import MACROS

TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[bB]?[rR][bB]?(?:\"{3}.*?\"{3}|'{3}.*?'{3}|\"[^\"\n]*\"|'[^'\n]*')
             |[bB]?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<sign>&&|\|\||[<>=!]=|.)""",
    re.VERBOSE | re.DOTALL,
)

COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
BEFORE_COMPARISON = frozenset({"", "(", "&&", "||", "?", ":", ",", "["})
AFTER_COMPARISON = frozenset({"", ")", "&&", "||", "?", ":", ",", "]"})
WORDS = frozenset({"true", "false", "null", "in"})


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the text and where it begins."""

    kind: str
    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A fact that is read: its path, where each part stands, and the method called on it, if any.

    `bound` is the number that it is compared with, None where it is used in any other way. `literal` is a text or
    number that stands in a comparison with it (for trying out). `tested`: it stands inside `has(…)`.
    """

    path: tuple[str, ...]
    offsets: tuple[int, ...]
    method: str = ""
    argument: str | None = None
    bound: float | None = None
    literal: Any = None
    tested: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function or method that is called, and where its name stands."""

    name: str
    offset: int
    method: bool


@dataclass(frozen=True, slots=True)
class Expression:
    """What a condition reads and calls, and the names that its macros bind."""

    readings: tuple[Reading, ...]
    calls: tuple[Call, ...]
    bound_names: frozenset[str]


def tokens_of(text: str) -> list[Token]:
    """The words of a text without spaces and comments."""
    return [
        Token(str(match.lastgroup), match[0], match.start())
        for match in TOKEN.finditer(text)
        if match.lastgroup != "space"
    ]


def analyse(text: str) -> Expression:
    """Look at a text that `cel.compile` has accepted."""
    tokens = _Tokens(tokens_of(text))
    bound = frozenset(tokens.bound_names())
    readings: list[Reading] = []
    calls: list[Call] = []
    for index, token in enumerate(tokens.all):
        if token.kind != "name" or token.text in WORDS:
            continue
        if tokens.sign(index + 1) == "(":
            calls.append(Call(token.text, token.offset, tokens.sign(index - 1) == "."))
        elif tokens.sign(index - 1) != "." and token.text not in bound:
            readings.append(tokens.reading(index))
    return Expression(tuple(readings), tuple(calls), bound)


class _Tokens:
    def __init__(self, tokens: list[Token]) -> None:
        self.all = tokens

    def sign(self, index: int) -> str:
        """The sign at a place; empty beyond the ends; other kinds of words as their kind."""
        if not 0 <= index < len(self.all):
            return ""
        token = self.all[index]
        return token.text if token.kind == "sign" or token.text in WORDS else token.kind

    def bound_names(self) -> Iterator[str]:
        """The names that macros bind: `x` of `.exists(x, …)`."""
        for index, token in enumerate(self.all):
            if token.text in MACROS and self.sign(index + 1) == "(" and self.sign(index + 3) == ",":
                yield self.all[index + 2].text

    def reading(self, start: int) -> Reading:
        """The chain of names that begins at a place."""
        path, offsets, index, method = [self.all[start].text], [self.all[start].offset], start + 1, ""
        while True:
            if self.sign(index) == "." and self.sign(index + 1) == "name":
                token = self.all[index + 1]
                if self.sign(index + 2) == "(":
                    method = token.text
                    break
                path.append(token.text)
                offsets.append(token.offset)
                index += 2
            elif self.sign(index) == "[" and self.sign(index + 1) == "text" and self.sign(index + 2) == "]":
                path.append(str(_value(self.all[index + 1].text)))
                offsets.append(self.all[index + 1].offset)
                index += 3
            else:
                break
        argument = None
        if method and self.sign(index + 3) == "text" and self.sign(index + 4) == ")":
            argument = str(_value(self.all[index + 3].text))
            end = index + 5
        else:
            end = index
        literal = self._compared_with(start, end) if not method or argument is not None else None
        number = float(literal) if isinstance(literal, int | float) and not isinstance(literal, bool) else None
        if number is not None and not self._stands_alone(start, end):
            number = None
        tested = self.sign(start - 1) == "(" and start >= 2 and self.all[start - 2].text == "has"
        return Reading(tuple(path), tuple(offsets), method, argument, number, literal, tested)

    def _literal(self, index: int) -> tuple[Any, int]:
        """The text or number at a place and how many words it has; (None, 0) if there is none."""
        if self.sign(index) in {"text", "number"}:
            return _value(self.all[index].text), 1
        if self.sign(index) == "-" and self.sign(index + 1) == "number":
            return _value("-" + self.all[index + 1].text), 2
        return None, 0

    def _compared_with(self, start: int, end: int) -> Any:
        if self.sign(end) in COMPARISONS or self.sign(end) == "in":
            at = end + (2 if self.sign(end) == "in" and self.sign(end + 1) == "[" else 1)
            return self._literal(at)[0]
        if self.sign(start - 1) in COMPARISONS or self.sign(start - 1) == "in":
            return self._literal(start - 2)[0]
        return None

    def _stands_alone(self, start: int, end: int) -> bool:
        """Whether nothing but the comparison with the number touches the fact: no sum, no chain of comparisons."""
        if self.sign(end) in COMPARISONS:
            length = self._literal(end + 1)[1]
            return self.sign(start - 1) in BEFORE_COMPARISON and self.sign(end + 1 + length) in AFTER_COMPARISON
        if self.sign(start - 1) in COMPARISONS and self.sign(end) in AFTER_COMPARISON:
            return self.sign(start - 3) in BEFORE_COMPARISON and self.all[start - 2].kind == "number"
        return False


def _value(literal: str) -> Any:
    """A literal's value, as CEL reads it."""
    return cel.evaluate(literal, {})
