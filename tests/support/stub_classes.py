"""Fakes held to published type stubs: what a fake plays exists there, and every call of it fits the signature.

Stub files may have a hundred thousand lines, so a class is parsed when a fake of it is made.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
from functools import cache
from importlib.metadata import files
from pathlib import Path
from typing import Any, ClassVar

PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float)}


class WrongCall(AssertionError):
    """The program would not know this name, or not take this call."""


class Stubs:
    """The stubs of one module, e.g. `Stubs("types-houdini", "hou-stubs/__init__.pyi")`."""

    def __init__(self, package: str, *names: str) -> None:
        paths = [path for name in names for path in files(package) or () if str(path) == name]
        self._lines = [line for path in paths for line in Path(str(path.locate())).read_text().splitlines()]
        self._starts = {
            match[2]: number
            for number, line in enumerate(self._lines)
            if (match := re.match(r"(class|def) (\w+)", line)) is not None
        }

    @cache  # noqa: B019 - a handful of them, for the life of the tests
    def members(self, kind: str) -> dict[str, list[ast.FunctionDef]]:
        """The methods of a class and of what it derives from, by name."""
        tree = self._parsed(kind)
        assert isinstance(tree, ast.ClassDef)
        found: dict[str, list[ast.FunctionDef]] = {}
        for base in tree.bases:
            if isinstance(base, ast.Name) and base.id in self._starts:
                found.update(self.members(base.id))
        own: dict[str, list[ast.FunctionDef]] = {}
        for each in tree.body:
            if isinstance(each, ast.FunctionDef):
                own.setdefault(each.name, []).append(each)
        return {**found, **own}

    @cache  # noqa: B019 - as above
    def function(self, name: str) -> list[ast.FunctionDef]:
        """A function of the module, with its overloads."""
        wanted = [n for n, line in enumerate(self._lines) if line.startswith(f"def {name}(")]
        if not wanted:
            raise WrongCall(f"there is no function {name}")
        return [tree for n in wanted if isinstance(tree := self._block(n), ast.FunctionDef)]

    def has(self, name: str) -> bool:
        """Is there such a class, function or variable?"""
        return name in self._starts or any(line.startswith(f"{name}:") for line in self._lines)

    def _parsed(self, name: str) -> ast.stmt:
        if name not in self._starts:
            raise WrongCall(f"there is no class {name}")
        return self._block(self._starts[name])

    def _block(self, start: int) -> ast.stmt:
        end = start + 1
        while end < len(self._lines) and (not self._lines[end].strip() or self._lines[end][0].isspace()):
            end += 1
        return ast.parse("\n".join(self._lines[start:end])).body[0]


def check(name: str, known: list[ast.FunctionDef], args: tuple[Any, ...], named: dict[str, Any], bound: int) -> None:
    """Does some overload take this call? `bound`: arguments that the fake gives itself (self).

    Raises:
        WrongCall: none does.
    """
    faults = [_fault(each, args, named, bound) for each in known]
    if all(faults):
        raise WrongCall(f"{name}{args}{named}: {faults[0]}")


def _fault(function: ast.FunctionDef, args: tuple[Any, ...], named: dict[str, Any], bound: int) -> str:
    taken = [*function.args.posonlyargs, *function.args.args][bound:]
    if len(args) > len(taken) and function.args.vararg is None:
        return "too many arguments"
    given = {parameter.arg: value for parameter, value in zip(taken, args, strict=False)} | named
    known = {each.arg: each for each in [*taken, *function.args.kwonlyargs]}
    if set(named) - set(known) and function.args.kwarg is None:
        return f"unknown {sorted(set(named) - set(known))}"
    needed = [each.arg for each in taken[: len(taken) - len(function.args.defaults)]]
    if set(needed) - set(given):
        return f"needs {sorted(set(needed) - set(given))}"
    wrong = [name for name, value in given.items() if name in known and not _fits(value, known[name].annotation)]
    return f"wrong values of {wrong}" if wrong else ""


def _fits(value: Any, kind: ast.expr | None) -> bool:
    plain = PLAIN.get(ast.unparse(kind)) if kind is not None else None
    return plain is None or (isinstance(value, plain) and (plain is bool or not isinstance(value, bool)))


class Held:
    """A fake of the class `stub`; every method that it defines is held to the stub's."""

    stubs: ClassVar[Stubs]

    def __init_subclass__(cls, stub: str = "", **more: Any) -> None:
        super().__init_subclass__(**more)
        if not stub:
            return
        known = cls.stubs.members(stub)
        for name, method in list(vars(cls).items()):
            if inspect.isfunction(method) and not name.startswith(("_", "fake_")):
                if name not in known:
                    raise WrongCall(f"{stub} has no method {name}")
                setattr(cls, name, _held(f"{stub}.{name}", known[name], method))


def _held(name: str, known: list[ast.FunctionDef], method: Any) -> Any:
    is_static = any(ast.unparse(each) == "staticmethod" for each in known[0].decorator_list)

    @functools.wraps(method)
    def call(self: Any, *args: Any, **named: Any) -> Any:
        check(name, known, args, named, 0 if is_static else 1)
        return method(self, *args, **named)

    return call


def held_function(stubs: Stubs, name: str, function: Any) -> Any:
    """A function of the module, held to the stub's."""
    known = stubs.function(name)

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        check(name, known, args, named, 0)
        return function(*args, **named)

    return call
