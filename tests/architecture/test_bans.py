"""What no file may hold, and what only one place may do."""

from __future__ import annotations

import ast
import re

import pytest
import source_tree

REGISTRY_HOSTS = "|".join(
    rf"{name}\.{domain}"
    for name, domain in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "(org|com)"), ("debian", "(org|net)"))
)
BANNED_TEXT = {
    "the host of a package registry": re.compile(REGISTRY_HOSTS),
    "a path of one machine": re.compile(r"(?<![\w.])/((work|farm)/[a-z]|root/)|/tmp/(of|bash_jobs)\b"),
    "a folder outside the repository": re.compile(r"\bshared/(design|research|seeds|fixtures)\b"),
}

COMMITTERS = {
    "scheduler/store/writer.py": "the one writer",
    "scheduler/store/transaction.py": "what the writer runs changes in",
    "scheduler/store/migrations/env.py": "Alembic, before anything serves",
}
"""Files of the scheduler that may end a transaction."""


@pytest.mark.parametrize("what", BANNED_TEXT)
def test_no_file_names(what: str) -> None:
    found = [
        f"{path}:{number}"
        for path in source_tree.files()
        if path.suffix not in {".png", ".blend", ".exr", ".glb", ".jpg", ".zip"}
        for number, line in enumerate((source_tree.ROOT / path).read_text(errors="replace").splitlines(), 1)
        if BANNED_TEXT[what].search(line) and path.name != "test_bans.py"
    ]

    assert found == []


def test_only_the_writer_commits() -> None:
    found = {
        str(path)
        for path in source_tree.python_files("scheduler")
        for node in ast.walk(source_tree.tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    }

    assert found <= set(COMMITTERS)


@pytest.mark.parametrize("package", ["scheduler", "worker", "kernels"])
def test_nothing_is_left_unfinished(package: str) -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b|raise NotImplementedError")
    found = [
        f"{path}:{number}"
        for path in source_tree.python_files(package)
        for number, line in enumerate((source_tree.ROOT / path).read_text().splitlines(), 1)
        if marks.search(line)
    ]

    assert found == []


def test_no_exception_is_swallowed() -> None:
    """`except …: pass` hides what went wrong; `contextlib.suppress` of a named error says that it is meant."""
    found = [
        f"{path}:{node.lineno}"
        for path in source_tree.python_files(*source_tree.PACKAGES)
        for node in ast.walk(source_tree.tree(path))
        if isinstance(node, ast.ExceptHandler) and all(isinstance(line, ast.Pass) for line in node.body)
    ]

    assert found == []
