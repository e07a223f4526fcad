"""The part of Google's filter language (AIP-160) that the farm uses; anything else is refused, as Google would."""

from __future__ import annotations

import re
from typing import Any

from fake_gce_project import Wrong

TERM = re.compile(r'^\(?([\w.-]+) = "([^"]*)"\)?$')


def passes(thing: dict[str, Any], wanted: str) -> bool:
    """Whether a resource passes `(a.b = "c") AND (d = "e")`, or the same with OR."""
    if not wanted:
        return True
    word = " OR " if " OR " in wanted else " AND "
    results = [_equals(thing, term) for term in wanted.split(word)]
    return any(results) if word == " OR " else all(results)


def _equals(thing: dict[str, Any], term: str) -> bool:
    match = TERM.match(term)
    if match is None:
        raise Wrong(400, "invalid", f"Invalid value for field 'filter': '{term}'.")
    found: Any = thing
    first, _, rest = match[1].partition(".")
    for part in (first, rest) if rest else (first,):  # a label's name may hold no dot, but other paths are one deep too
        found = (found or {}).get(part)
    return found == match[2]
