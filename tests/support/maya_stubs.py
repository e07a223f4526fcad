"""The signatures of `maya.cmds` as published in `types-maya`, to hold calls against.

The stub file is 6 MB of single-line overloads, so a command is parsed when it is first called.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib.metadata import files
from pathlib import Path
from typing import Any

PACKAGE = "types-maya"
BESIDE = {"optionVar": ["def optionVar(*, query: str) -> Any: ..."]}
"""What the stubs lack and Autodesk's command reference has: here a query takes the variable's name as its value."""


class WrongCall(AssertionError):
    """Maya would not know this command, this flag, or this value of it."""


@cache
def stub(name: str) -> Path:
    """A file of the stubs, e.g. `cmds.pyi`."""
    found = [path for path in files(PACKAGE) or () if str(path) == f"maya-stubs/{name}"]
    return Path(str(found[0].locate()))


@cache
def _lines() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in stub("cmds.pyi").read_text().splitlines():
        match = re.match(r"def (\w+)\(", line)
        if match:
            found.setdefault(match[1], []).append(line)
    return found


@cache
def overloads(command: str) -> tuple[tuple[dict[str, ast.expr], frozenset[str]], ...]:
    """Each as its flags with their types, and those that must be given."""
    if command not in _lines():
        raise WrongCall(f"Maya has no command {command}")
    made = []
    for line in [*_lines()[command], *BESIDE.get(command, [])]:
        function = ast.parse(line).body[0]
        assert isinstance(function, ast.FunctionDef)
        flags = {arg.arg: arg.annotation for arg in function.args.kwonlyargs if arg.annotation is not None}
        needed = {
            arg.arg
            for arg, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
            if default is None
        }
        made.append((flags, frozenset(needed)))
    return tuple(made)


def check(command: str, flags: dict[str, Any]) -> None:
    """Does some overload take these flags with these values?

    Raises:
        WrongCall: none does.
    """
    faults = []
    for known, needed in overloads(command):
        fault = _fault(known, needed, flags)
        if not fault:
            return
        faults.append(fault)
    raise WrongCall(f"{command}({flags}): {min(faults, key=len)}")


def _fault(known: dict[str, ast.expr], needed: frozenset[str], flags: dict[str, Any]) -> str:
    unknown = sorted(set(flags) - set(known))
    if unknown:
        return f"no flags {unknown}"
    if not needed <= set(flags):
        return f"needs {sorted(needed - set(flags))}"
    wrong = [name for name, value in flags.items() if not fits(value, known[name])]
    return f"wrong values of {wrong}" if wrong else ""


def fits(value: Any, kind: ast.expr) -> bool:
    """Is the value of the type that the stub names?"""
    text = ast.unparse(kind)
    if text == "Any":
        return True
    if isinstance(kind, ast.BinOp):
        return fits(value, kind.left) or fits(value, kind.right)
    if isinstance(kind, ast.Subscript):
        return _fits_inside(value, ast.unparse(kind.value), kind.slice)
    plain = {"bool": bool, "int": int, "float": (int, float), "str": str, "None": type(None)}[text]
    return isinstance(value, plain) and (text == "bool" or not isinstance(value, bool))


def _fits_inside(value: Any, outer: str, inner: ast.expr) -> bool:
    if outer == "Literal":
        return bool(value == ast.literal_eval(inner))
    if outer == "list":
        return isinstance(value, list) and all(fits(each, inner) for each in value)
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    return isinstance(value, tuple) and len(value) == len(parts) and all(map(fits, value, parts))
