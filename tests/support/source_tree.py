"""The repository as the architecture tests see it: its files, and its Python as syntax trees."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("scheduler", "worker", "kernels")
GENERATED = ("scheduler/store/migrations/versions/",)
"""Folders whose Python is written by a tool."""


VENDORED = ("scheduler/api/static/swagger-ui/",)
"""Folders of other projects' files, as they were published; their lock file is `static/vendor.json`."""


@cache
def files() -> tuple[Path, ...]:
    """Every file that is tracked or about to be, relative to the root. Ignored files are not seen."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = (Path(name) for name in listing.split("\0") if name)
    return tuple(sorted(path for path in found if (ROOT / path).is_file() and not str(path).startswith(VENDORED)))


def python_files(*rooms: str) -> tuple[Path, ...]:
    """Hand-written Python files; with `rooms`, only those below these top folders."""
    return tuple(
        path
        for path in files()
        if path.suffix == ".py" and (not rooms or path.parts[0] in rooms) and not str(path).startswith(GENERATED)
    )


@cache
def tree(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse((ROOT / path).read_text(), filename=str(path))


@dataclass(frozen=True)
class Function:
    """One function or method: where it is, its dotted name within the file, its node."""

    path: Path
    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef

    @property
    def lines(self) -> int:
        """Lines from `def` to the end, less the docstring and the functions inside, which count for themselves."""
        first = self.node.body[0]
        is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        inner = [child for child in self.node.body if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)]
        return _span(self.node) - (_span(first) if is_docstring else 0) - sum(_span(child) for child in inner)


def _span(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def functions(path: Path) -> Iterator[Function]:
    """Every function of a file, nested ones included."""
    yield from _functions(path, tree(path), "")


def _functions(path: Path, node: ast.AST, prefix: str) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Function(path, f"{prefix}{child.name}", child)
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        yield from _functions(path, child, f"{prefix}{child.name}." if named else prefix)
