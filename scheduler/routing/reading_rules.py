"""From text to rules: TOML, YAML or JSON, every fault with the index of its rule, its line and its column.

All or nothing: one fault refuses the whole text, and all faults are told at once. What a single rule may hold is
`reading_rule`'s to say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from scheduler.routing.located import Located, SyntaxFault
from scheduler.routing.located_yaml import read_yaml
from scheduler.routing.reading_rule import RuleReader
from scheduler.routing.rule_faults import Fault, Faults, RuleError
from scheduler.routing.rules import Rule, RuleBook
from scheduler.routing.scanning import read_json, read_toml
from scheduler.routing.vocabulary import Names, nearest

Syntax = Literal["toml", "yaml", "json"]

RULES_MAX = 1000
"""Rules in one book."""

TEXT_MAX_BYTES = 1024 * 1024
"""Size of one set of rules, in UTF-8."""

READERS: Mapping[Syntax, Callable[[str], Located]] = {"toml": read_toml, "yaml": read_yaml, "json": read_json}


def read_rules(
    text: str, syntax: Syntax, names: Names | None = None, *, beside: Collection[str] = ()
) -> tuple[Rule, ...]:
    """The rules of a text. `beside` names keys that may stand beside `rules` and are not looked at.

    Raises:
        RuleError: with every fault.
    """
    text = text.removeprefix("\ufeff")
    if len(text.encode(errors="replace")) > TEXT_MAX_BYTES:
        raise RuleError([Fault(None, 1, 1, f"the rules are larger than {TEXT_MAX_BYTES} bytes")])
    faults = Faults(text)
    items = _items(_document(text, syntax, faults), beside, faults)
    reader = RuleReader(text, names or Names(), faults)
    rules = [reader.read(index, item) for index, item in enumerate(items)]
    if faults:
        raise faults.error()
    return tuple(rule for rule in rules if rule is not None)


def read_book(text: str, syntax: Syntax, version: int, names: Names | None = None) -> RuleBook:
    """The same, as a book.

    Raises:
        RuleError: with every fault.
    """
    return RuleBook(version, read_rules(text, syntax, names))


def _document(text: str, syntax: Syntax, faults: Faults) -> Located:
    try:
        return READERS[syntax](text)
    except SyntaxFault as fault:
        faults.add(fault.offset, f"not {syntax.upper()}: {fault}".rstrip("."))
        raise faults.error() from fault


def _items(document: Located, beside: Collection[str], faults: Faults) -> list[Located]:
    if isinstance(document.value, list):
        items = document
    elif isinstance(document.value, dict):
        for key, start in document.keys.items():
            if key != "rules" and key not in beside:
                faults.add(start, f"{key!r} is not known here{nearest(key, ['rules'])}")
        items = document.value.get("rules", Located([], 0))
    else:
        faults.add(document.start, "rules are a list of tables under the key 'rules'")
        return []
    if not isinstance(items.value, list):
        faults.add(items.start, "'rules' must be a list of tables; in TOML write [[rules]] above each")
        return []
    if len(items.value) > RULES_MAX:
        faults.add(items.value[RULES_MAX].start, f"there are more than {RULES_MAX} rules")
        return []
    _refuse_twins(items.value, faults)
    return items.value


def _refuse_twins(items: Sequence[Located], faults: Faults) -> None:
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        name = item.value.get("name") if isinstance(item.value, dict) else None
        if name is None or not isinstance(name.value, str):
            continue
        if name.value in seen:
            faults.begin(index, name.value)
            faults.add(name.start, f"rules[{seen[name.value]}] has this name already")
        seen.setdefault(name.value, index)
