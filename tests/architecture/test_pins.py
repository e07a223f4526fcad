"""constraints.txt: names and versions, complete, and nothing that says where they come from."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import source_tree
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LINES = (source_tree.ROOT / "constraints.txt").read_text().splitlines()
PROJECT: dict[str, Any] = tomllib.loads((source_tree.ROOT / "pyproject.toml").read_text())["project"]


def test_every_line_is_a_name_and_a_version() -> None:
    assert [line for line in LINES if not re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.+!]+", line)] == []


def test_names_are_sorted_and_unique() -> None:
    names = [line.partition("==")[0] for line in LINES]

    assert sorted(set(names)) == names


def test_every_requirement_is_pinned_to_a_version_that_it_allows() -> None:
    pins = dict(line.split("==") for line in LINES)
    extras = [text for texts in PROJECT["optional-dependencies"].values() for text in texts]
    requirements = [Requirement(text) for text in (*PROJECT["dependencies"], *extras)]

    missing = [r.name for r in requirements if canonicalize_name(r.name) not in pins]
    assert missing == []
    assert [str(r) for r in requirements if pins[canonicalize_name(r.name)] not in r.specifier] == []
