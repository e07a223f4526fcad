"""Every module says what it owns; everything public says what it is."""

from __future__ import annotations

import ast

import pytest
import source_tree

ROOMS = (*source_tree.PACKAGES, "tools", "benchmarks")


@pytest.mark.parametrize("package", source_tree.PACKAGES)
def test_every_module_and_package_has_a_docstring(package: str) -> None:
    found = [str(path) for path in source_tree.python_files(package) if not ast.get_docstring(source_tree.tree(path))]

    assert found == []


@pytest.mark.parametrize("room", ROOMS)
def test_everything_public_has_a_docstring(room: str) -> None:
    """Top-level functions and classes; methods of a documented port need not repeat it."""
    found = [
        f"{path}:{node.lineno} {node.name}"
        for path in source_tree.python_files(room)
        for node in source_tree.tree(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if not node.name.startswith("_") and not ast.get_docstring(node) and "migrations" not in path.parts
    ]

    assert found == []
