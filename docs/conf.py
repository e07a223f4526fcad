"""Sphinx: offline HTML of these pages (`make docs`). Nothing in the result is fetched from elsewhere."""

from __future__ import annotations

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "Outfield"
author = "The Outfield authors"
copyright = "The Outfield authors, Apache-2.0"  # noqa: A001 - the name is Sphinx's
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Outfield"
html_show_sphinx = False
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3


def setup(app: Sphinx) -> None:
    """Show mermaid sources as text: forges draw them, these pages carry the drawn picture beside them."""
    app.add_lexer("mermaid", TextLexer)
