"""The documentation keeps up: decisions, settings, links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import source_tree

from scheduler.settings import known_keys

DOCS = source_tree.ROOT / "docs"
DECISIONS = sorted((DOCS / "adr").glob("[0-9]*.md"))
PARTS = ["Context", "Decision", "Consequences", "Alternatives", "References"]
DECISION_LINES_MAX = 60
LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(?:#[^)]*)?\)")
PAGES = [path for path in source_tree.files() if path.suffix == ".md"]


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_a_page_with_all_parts_and_in_the_index(path: Path) -> None:
    text = path.read_text()

    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == PARTS
    assert len(text.splitlines()) <= DECISION_LINES_MAX
    assert "\nStatus: " in text
    assert f"\n{path.stem}\n" in (DOCS / "adr" / "index.md").read_text()


def test_every_setting_is_documented() -> None:
    text = (DOCS / "reference" / "settings.md").read_text()
    sections = {part.partition("]")[0]: part for part in text.split("\n## `[")[1:]}

    tables = [key for key in known_keys() if "." in key]
    missing = [key for key in tables if f"| `{key.rpartition('.')[2]}` |" not in sections[key.rpartition(".")[0]]]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall((source_tree.ROOT / page).read_text()) if "://" not in link]
    broken = [link for link in links if not (source_tree.ROOT / page.parent / link).exists()]

    assert broken == []


def test_every_page_is_reached_from_an_index() -> None:
    indexes = (DOCS / "index.md").read_text() + (DOCS / "adr" / "index.md").read_text()
    pages = [path.relative_to("docs") for path in PAGES if path.parts[0] == "docs"]

    assert [str(p) for p in pages if p.stem != "index" and p.stem not in indexes.replace("/", "\n").split()] == []
