# SPDX-License-Identifier: Apache-2.0
"""What artists read, in their language. The English sentence is the key; a catalogue is one JSON file per language.

A sentence without a translation stays English, so a new one never breaks anything. `pseudo` makes every translated text
recognisable, for the test that finds texts which bypass this module.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Optional

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "catalogues")
PSEUDO = "pseudo"
_ACCENTS = str.maketrans("aeiouAEIOUcn", "àéîöüÀÉÎÖÜçñ")

_catalogue: Dict[str, str] = {}
_language = "en"


def languages() -> Dict[str, str]:
    """The languages there are, as the code of each and its file."""
    files = {"en": ""}
    for name in sorted(os.listdir(FOLDER)) if os.path.isdir(FOLDER) else ():
        if name.endswith(".json"):
            files[name[:-5]] = os.path.join(FOLDER, name)
    return files


def set_language(code: str) -> str:
    """Choose by a code such as `de_DE`; returns the one that is spoken now."""
    global _catalogue, _language  # noqa: PLW0603 - one language per program
    short = code.replace("-", "_").split("_")[0].lower()
    files = languages()
    if code == PSEUDO:
        _catalogue, _language = {}, PSEUDO
    elif short != _language:
        _language = short if short in files else "en"
        _catalogue = _read(files[_language])
    return _language


def tr(_sentence: str, **values: Any) -> str:
    """The sentence in the artist's language, with the values put in."""
    template = pseudo(_sentence) if _language == PSEUDO else _catalogue.get(_sentence, _sentence)
    return template.format(**values) if values else template


def catalogue(code: str) -> Dict[str, str]:
    """All that is translated into a language, for programs that translate their own menus."""
    return _read(languages().get(code))


def pseudo(text: str) -> str:
    """The text with accents and brackets; what stands in braces stays."""
    parts, depth = [], 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        parts.append(letter if depth or letter == "}" else letter.translate(_ACCENTS))
    return "[" + "".join(parts) + "]"


def _read(path: Optional[str]) -> Dict[str, str]:
    if not path:
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in content.items() if value}
