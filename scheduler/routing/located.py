"""Values with the places they stand at in a text, so that whatever is wrong with one can be pointed at.

A tree of `Located` is what the readers of TOML, JSON and YAML make; this module owns the tree and finds a character of
a text value in the file again, through escapes, folding and indentation.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

BLANK = frozenset("ntr \t\n\r")
"""What after a backslash stands for something blank, or for nothing."""

ESCAPED = re.compile(r"\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|\r?\n|.)", re.DOTALL)


@dataclass(slots=True)
class Located:
    """A value and where it stands: `start` and `end` are characters of the whole text.

    A table is a dict of name to `Located` with the places of its names in `keys`; a list is a list of `Located`.
    `escapes`: how the text of a string is to be read, `\\` (backslashes), `''` (doubled quotes) or nothing; `body` is
    where that text begins, and `after` where the document goes on.
    """

    value: Any
    start: int
    end: int = 0
    keys: dict[str, int] = field(default_factory=dict)
    escapes: str = ""
    body: int = 0
    after: int = 0

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {name: inner.plain() for name, inner in self.value.items()}
        if isinstance(self.value, list):
            return [inner.plain() for inner in self.value]
        return self.value


class SyntaxFault(ValueError):
    """The text is not what it is said to be; `offset` is the character."""

    def __init__(self, message: str, offset: int) -> None:
        self.offset = offset
        super().__init__(message)


class Lines:
    """Lines and columns of a text, both from 1; a column counts characters."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer(r"\n", text))]
        self._length = len(text)

    def at(self, offset: int) -> tuple[int, int]:
        """Line and column of a character."""
        offset = min(max(0, offset), self._length)
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """The character at a line and column, both from 1."""
        if line > len(self._starts):
            return self._length
        return min(self._starts[max(1, line) - 1] + column - 1, self._length)


def place_in(text: str, located: Located, index: int) -> int:
    """The character of `text` where character `index` of a located string stands.

    Strings are followed by their characters that are not blank: these stand in the file in the same order, however
    lines were folded, indented or escaped.
    """
    wanted = sum(1 for char in located.value[:index] if not char.isspace())
    last = located.body
    for offset, after in _visible(text, located):
        if wanted == 0:
            return offset if not located.value[index : index + 1].isspace() else last
        wanted -= 1
        last = after
    return last


def _visible(text: str, located: Located) -> Iterator[tuple[int, int]]:
    """Begin and end of each character of the string that is not blank."""
    at = located.body
    while at < located.end:
        end = at + 1
        if located.escapes == "\\" and text[at] == "\\":
            match = ESCAPED.match(text, at)
            end = match.end() if match else end
            word = text[at + 1 : end]
            if word[:1] == "u" and 0xD800 <= int(word[1:] or "0", 16) < 0xDC00 and text[end : end + 2] == "\\u":
                end += 6  # a pair of surrogates is one character
            if word[:1] in BLANK or (word[:1] in "uUx" and chr(int(word[1:], 16)).isspace()):
                at = end
                continue
            yield at, end
        elif located.escapes == "''" and text.startswith("''", at):
            end = at + 2
            yield at, end
        elif not text[at].isspace():
            yield at, end
        at = end
