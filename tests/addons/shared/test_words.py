"""What artists read: every sentence in every language."""

from __future__ import annotations

import ast
import json
import string

import pytest
import shared_core
from outfield_core.texts import set_language, tr

CORE = shared_core.FOLDER / "outfield_core"
BLENDER = shared_core.FOLDER.parent / "blender"
MAYA = shared_core.FOLDER.parent / "maya" / "scripts" / "outfield"
SPEAKING = (
    CORE,
    shared_core.FOLDER / "outfield_qt",
    BLENDER,
    MAYA,
    shared_core.FOLDER.parent / "houdini" / "scripts" / "python" / "outfield",
    shared_core.FOLDER.parent / "nuke" / "outfield",
)


@pytest.fixture(autouse=True)
def english():
    yield
    set_language("en")


# ---- Languages -------------------------------------------------------------------------------------------------------


def spoken() -> set[str]:
    """Every sentence that may be shown: what `tr` and findings are given, and the tables of words."""
    found: set[str] = set()
    for path in (path for folder in SPEAKING for path in folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                position = SPEAKERS.get(name)
                if position is not None and len(node.args) > position:
                    found |= constants(node.args[position])
                if name in TROUBLES:
                    said = [*node.args[:1], *(each.value for each in node.keywords if each.arg == "hint")]
                    found |= set().union(*map(constants, said))
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in TABLES:
                found |= constants(node.value, values_only=isinstance(node.value, ast.Dict))
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in MENUS:
                found |= {item.elts[1].value for item in node.value.elts}
    return {text for text in found if any(letter.isalpha() for letter in text.replace("{text}", ""))}


SPEAKERS = {
    "tr": 0, "Finding": 2, "Desk": 1, "_text": 1, "_number": 1, "_check": 1, "_choice": 1, "_text_row": 2,
    "_number_row": 2, "_frame": 1, "_ask_for": 2,
}  # fmt: skip
"""Calls, and which of their arguments is shown."""

TROUBLES = {"FarmError", "Refused", "LocalTrouble", "Unreachable", "Denied", "FrameSyntaxError", "kind", "__init__"}
"""Errors: their first argument and their hint are shown."""

TABLES = {"LABELS", "STAGES", "STATUS_WORDS", "_KINDS", "_TROUBLES"}
MENUS = {"FRAMES", "SPLITS", "OUTPUTS", "CLOUDS", "ROADS", "EVERY"}
"""Choices: the second of each is the name."""


def constants(node: ast.AST, *, values_only: bool = False) -> set[str]:
    nodes = node.values if values_only and isinstance(node, ast.Dict) else [node]
    if isinstance(node, ast.IfExp):
        nodes = [node.body, node.orelse]
    return {each.value for each in nodes if isinstance(each, ast.Constant) and isinstance(each.value, str)}


@pytest.mark.parametrize("language", ["de", "fr", "ja"])
def test_a_catalogue_says_everything_with_the_same_values(language):
    catalogue = json.loads((CORE / "catalogues" / f"{language}.json").read_text())
    sentences = spoken()

    assert sorted(sentences - set(catalogue)) == []
    assert sorted(set(catalogue) - sentences - menu_words()) == []
    for english, translated in catalogue.items():
        assert holes(english) == holes(translated), english
        assert translated.strip() == translated
        assert translated


def menu_words() -> set[str]:
    """Names of settings and choices, which Blender translates by itself once it has the catalogue."""
    found: set[str] = set()
    for path in (BLENDER / "properties.py", CORE / "choices.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def holes(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def test_languages_are_chosen_by_the_programs_own_codes():
    assert set_language("de_DE") == "de"
    assert tr("Cancel the job; frames that are there stay") != "Cancel the job; frames that are there stay"
    assert set_language("xx") == "en"
    assert set_language("ja") == "ja"
    assert tr("a sentence that nobody has translated") == "a sentence that nobody has translated"
