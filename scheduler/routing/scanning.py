"""TOML and JSON with places. The standard library's parsers judge the text and give the values; this walks through what
they have accepted and notes where everything stands.

Sources: https://toml.io/en/v1.0.0 and RFC 8259. What is not accepted raises `SyntaxFault` with the place.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from typing import Any

from scheduler.routing.located import Lines, Located, SyntaxFault

STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL)
BLANK = re.compile(r"(?:\s+|#[^\n]*)*")
SPACES = re.compile(r"[ \t]*")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
BARE_VALUE = re.compile(r"[^\s,\]}#=]+(?: \d\d:[^\s,\]}#]*)?")
TOML_PLACE = re.compile(r"^(.*?)(?: \(at line (\d+), column (\d+)\)| \(at end of document\))$", re.DOTALL)
DEPTH_MAX = 32
"""Tables and lists inside one another."""


def read_toml(text: str) -> Located:
    """A TOML document as a located table.

    Raises:
        SyntaxFault: it is not TOML.
    """
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = TOML_PLACE.match(str(error))
        if match is None or match[2] is None:
            raise SyntaxFault(match[1] if match else str(error), len(text)) from error
        raise SyntaxFault(match[1], Lines(text).offset(int(match[2]), int(match[3]))) from error
    except RecursionError as error:
        raise SyntaxFault("nested too deeply", 0) from error
    return _Toml(text).document()


def read_json(text: str) -> Located:
    """A JSON value, located.

    Raises:
        SyntaxFault: it is not JSON, or names a key twice.
    """
    try:
        json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise SyntaxFault(error.msg, error.pos) from error
    except (ValueError, RecursionError) as error:
        raise SyntaxFault(str(error) or "nested too deeply", 0) from error
    scanner = _Json(text)
    return scanner.value(scanner.skip(0))


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


class _Scanner:
    toml = True

    def __init__(self, text: str) -> None:
        self.text = text

    def string(self, at: int) -> Located:
        match = STRING.match(self.text, at)
        assert match is not None, "the parser has accepted it"
        raw = match[0]
        quotes = 3 if raw[:3] in {'"""', "'''"} and len(raw) >= 6 else 1
        value = tomllib.loads(f"v = {raw}")["v"] if self.toml else json.loads(raw)
        escapes = "\\" if raw[0] == '"' else ""
        return Located(value, at, match.end() - quotes, escapes=escapes, body=at + quotes, after=match.end())

    def after(self, located: Located) -> int:
        """Where the text goes on after a value."""
        return located.after or located.end

    def skip(self, at: int) -> int:
        match = BLANK.match(self.text, at)
        return match.end() if match else at

    def sequence(self, at: int, depth: int) -> Located:
        found: list[Located] = []
        here = self.skip(at + 1)
        while self.text[here] != "]":
            item = self.value(here, depth + 1)
            found.append(item)
            here = self.skip(self.after(item))
            if self.text[here] == ",":
                here = self.skip(here + 1)
        return Located(found, at, here + 1)

    def value(self, at: int, depth: int = 0) -> Located:
        if depth > DEPTH_MAX:
            raise SyntaxFault(f"nested more than {DEPTH_MAX} levels deep", at)
        char = self.text[at]
        if char in "\"'":
            return self.string(at)
        if char == "[":
            return self.sequence(at, depth)
        if char == "{":
            return self.table(at, depth)
        match = BARE_VALUE.match(self.text, at)
        assert match is not None, "the parser has accepted it"
        return Located(self.scalar(match[0]), at, match.end())

    def table(self, at: int, depth: int) -> Located:
        raise AssertionError(at, depth)

    def scalar(self, word: str) -> Any:
        raise AssertionError(word)


class _Json(_Scanner):
    toml = False

    def skip(self, at: int) -> int:
        while at < len(self.text) and self.text[at] in " \t\r\n":
            at += 1
        return at

    def table(self, at: int, depth: int) -> Located:
        found = Located({}, at)
        here = self.skip(at + 1)
        while self.text[here] != "}":
            key = self.string(here)
            if key.value in found.value:
                raise SyntaxFault(f"the key {key.value!r} is there twice", here)
            value = self.value(self.skip(self.skip(self.after(key)) + 1), depth + 1)
            found.value[key.value] = value
            found.keys[key.value] = key.start
            here = self.skip(self.after(value))
            if self.text[here] == ",":
                here = self.skip(here + 1)
        found.end = here + 1
        return found

    def scalar(self, word: str) -> Any:
        return json.loads(word)


class _Toml(_Scanner):
    def document(self) -> Located:
        root = Located({}, 0, len(self.text))
        table, here = root, self.skip(0)
        while here < len(self.text):
            if self.text[here] == "[":
                table, here = self._header(root, here)
            else:
                here = self._assign(table, here, 0)
            here = self.skip(here)
        return root

    def table(self, at: int, depth: int) -> Located:
        found = Located({}, at)
        here = self.skip(at + 1)
        while self.text[here] != "}":
            here = self.skip(self._assign(found, here, depth))
            if self.text[here] == ",":
                here = self.skip(here + 1)
        found.end = here + 1
        return found

    def scalar(self, word: str) -> Any:
        return tomllib.loads(f"v = {word}")["v"]

    def _assign(self, table: Located, at: int, depth: int) -> int:
        path, here = self._key(at)
        value = self.value(self._spaces(here + 1), depth + 1)
        inner = self._down(table, path[:-1])
        name, start = path[-1]
        inner.value[name] = value
        inner.keys[name] = start
        return self.after(value)

    def _header(self, root: Located, at: int) -> tuple[Located, int]:
        many = self.text.startswith("[[", at)
        path, here = self._key(self._spaces(at + (2 if many else 1)))
        parent = self._down(root, path[:-1])
        name, start = path[-1]
        parent.keys.setdefault(name, start)
        if many:
            table = Located({}, at, here)
            parent.value.setdefault(name, Located([], at, here)).value.append(table)
        else:
            table = parent.value.setdefault(name, Located({}, at, here))
        return table, here + (2 if many else 1)

    def _down(self, table: Located, path: Sequence[tuple[str, int]]) -> Located:
        for name, start in path:
            table.keys.setdefault(name, start)
            table = table.value.setdefault(name, Located({}, start))
            if isinstance(table.value, list):
                table = table.value[-1]
        return table

    def _key(self, at: int) -> tuple[list[tuple[str, int]], int]:
        """The parts of a dotted key with their places, and where it ends."""
        parts: list[tuple[str, int]] = []
        while True:
            match = BARE_KEY.match(self.text, at)
            if match:
                parts.append((match[0], at))
                at = match.end()
            else:
                key = self.string(at)
                parts.append((key.value, at))
                at = self.after(key)
            at = self._spaces(at)
            if self.text[at] != ".":
                return parts, at
            at = self._spaces(at + 1)

    def _spaces(self, at: int) -> int:
        match = SPACES.match(self.text, at)
        return match.end() if match else at
