"""From text to rules: TOML, YAML or JSON, every fault with the index of its rule, its line and its column.

All or nothing: one fault refuses the whole text, and all faults are told at once. It compiles conditions
(`scheduler.routing.compiling`) and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from scheduler.errors import Refused
from scheduler.routing.compiling import ConditionError, compile_condition
from scheduler.routing.conditions import Condition
from scheduler.routing.located import Lines, Located, SyntaxFault, place_in
from scheduler.routing.located_yaml import read_yaml
from scheduler.routing.rules import ACTIONS, EVERY_POOL, Cap, CloudPolicy, Rule, RuleBook
from scheduler.routing.scanning import read_json, read_toml
from scheduler.routing.vocabulary import Names, nearest

Syntax = Literal["toml", "yaml", "json"]

RULES_MAX = 1000
"""Rules in one book."""

TEXT_MAX_BYTES = 1024 * 1024
"""Size of one set of rules, in UTF-8."""

NAME_CHARS_MAX = 200
NOTE_CHARS_MAX = 2000
ENTRIES_MAX = 64
"""Pools, tags or caps in one list."""

FAULTS_MAX = 100
"""Faults that are told; the rest is left out."""

KEYS = ("name", "when", *ACTIONS, "note")
CAP_KEYS = ("pool", "slots", "share")
SLOTS_MAX = 1_000_000

READERS: Mapping[Syntax, Callable[[str], Located]] = {"toml": read_toml, "yaml": read_yaml, "json": read_json}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where: `index` counts rules from 0 (None: no single rule), line and column from 1."""

    index: int | None
    line: int
    column: int
    message: str
    name: str | None = None

    def __str__(self) -> str:
        rule = "" if self.index is None else f"rules[{self.index}]" + (f" {self.name!r}" if self.name else "") + ": "
        return f"{self.line}:{self.column}: {rule}{self.message}"


class RuleError(Refused):
    """These rules cannot be used."""

    code = "invalid_rules"
    hint = "Correct the rules and send them again; those that were in force still are."

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults[:FAULTS_MAX])
        first = self.faults[0]
        self.index, self.line, self.column = first.index, first.line, first.column
        more = f" ({len(faults) - 1} more faults are in the details)" if len(faults) > 1 else ""
        details = {
            "index": first.index,
            "line": first.line,
            "column": first.column,
            "faults": [asdict(fault) for fault in self.faults],
        }
        super().__init__(f"The rules are refused: {first}{more}.", details=details)


def read_rules(
    text: str, syntax: Syntax, names: Names | None = None, *, beside: Collection[str] = ()
) -> tuple[Rule, ...]:
    """The rules of a text. `beside` names keys that may stand beside `rules` and are not looked at.

    Raises:
        RuleError: with every fault.
    """
    return _Reading(text, names or Names(), beside).read(syntax)


def read_book(text: str, syntax: Syntax, version: int, names: Names | None = None) -> RuleBook:
    """The same, as a book.

    Raises:
        RuleError: with every fault.
    """
    return RuleBook(version, read_rules(text, syntax, names))


class _Reading:
    """One text on its way to rules."""

    def __init__(self, text: str, names: Names, beside: Collection[str]) -> None:
        self._text = text.removeprefix("\ufeff")
        self._lines = Lines(self._text)
        self._names, self._beside = names, beside
        self._faults: list[Fault] = []
        self._index: int | None = None
        self._name: str | None = None

    def read(self, syntax: Syntax) -> tuple[Rule, ...]:
        if len(self._text.encode(errors="replace")) > TEXT_MAX_BYTES:
            raise RuleError([Fault(None, 1, 1, f"the rules are larger than {TEXT_MAX_BYTES} bytes")])
        try:
            document = READERS[syntax](self._text)
        except SyntaxFault as fault:
            self._fault(fault.offset, f"not {syntax.upper()}: {fault}".rstrip("."))
            raise RuleError(self._faults) from fault
        rules = [self._rule(index, item) for index, item in enumerate(self._items(document))]
        self._index = self._name = None
        if self._faults:
            raise RuleError(sorted(self._faults, key=lambda fault: (fault.line, fault.column)))
        return tuple(rule for rule in rules if rule is not None)

    def _fault(self, offset: int, message: str) -> None:
        self._faults.append(Fault(self._index, *self._lines.at(offset), message, self._name))

    # ---- The document ----

    def _items(self, document: Located) -> list[Located]:
        if isinstance(document.value, list):
            items = document
        elif isinstance(document.value, dict):
            for key, start in document.keys.items():
                if key != "rules" and key not in self._beside:
                    self._fault(start, f"{key!r} is not known here{nearest(key, ['rules'])}")
            items = document.value.get("rules", Located([], 0))
        else:
            self._fault(document.start, "rules are a list of tables under the key 'rules'")
            return []
        if not isinstance(items.value, list):
            self._fault(items.start, "'rules' must be a list of tables; in TOML write [[rules]] above each")
            return []
        if len(items.value) > RULES_MAX:
            self._fault(items.value[RULES_MAX].start, f"there are more than {RULES_MAX} rules")
            return []
        self._refuse_twins(items.value)
        return items.value

    def _refuse_twins(self, items: Sequence[Located]) -> None:
        seen: dict[str, int] = {}
        for index, item in enumerate(items):
            name = item.value.get("name") if isinstance(item.value, dict) else None
            if name is None or not isinstance(name.value, str):
                continue
            if name.value in seen:
                self._index, self._name = index, name.value
                self._fault(name.start, f"rules[{seen[name.value]}] has this name already")
            seen.setdefault(name.value, index)

    # ---- One rule ----

    def _rule(self, index: int, item: Located) -> Rule | None:
        self._index, self._name = index, None
        before = len(self._faults)
        if not isinstance(item.value, dict):
            self._fault(item.start, "a rule is a table with a name, a condition and what follows from it")
            return None
        given: dict[str, Located] = item.value
        if "name" in given and isinstance(given["name"].value, str):
            self._name = given["name"].value[:NAME_CHARS_MAX]
        for key, start in item.keys.items():
            if key not in KEYS:
                self._fault(start, f"{key!r} is no key of a rule{nearest(key, KEYS)}")
        if "name" not in given:
            self._fault(item.start, "the rule has no name")
        name = self._text_of(given, "name", NAME_CHARS_MAX, needed=True)
        note = self._text_of(given, "note", NOTE_CHARS_MAX)
        condition = self._condition(given["when"]) if "when" in given else None
        allow, forbid, prefer = (self._pools(given, key) for key in ("allow", "forbid", "prefer"))
        tags, caps, cloud = self._texts(given, "require_tags"), self._caps(given, name), self._cloud(given)
        if not any(key in given for key in ACTIONS) and set(given) <= set(KEYS):  # else the unknown key is meant as one
            self._fault(item.start, f"the rule does nothing: give it one of {', '.join(ACTIONS)}")
        self._refuse_contradictions(given, cloud)
        if len(self._faults) > before:
            return None
        return Rule(name, condition, allow, forbid, prefer, caps, tags, cloud, note, item.plain())

    def _text_of(self, given: Mapping[str, Located], key: str, chars_max: int, *, needed: bool = False) -> str:
        located = given.get(key)
        if located is None:
            return ""
        if not isinstance(located.value, str):
            self._fault(located.start, f"{key} must be a text, not {_kind(located.value)}")
        elif needed and not located.value.strip():
            self._fault(located.start, f"{key} is empty")
        elif len(located.value) > chars_max:
            self._fault(located.start, f"{key} has more than {chars_max} characters")
        elif not located.value.isprintable() and key == "name":
            self._fault(located.start, "name holds characters that cannot be shown")
        else:
            return located.value
        return ""

    def _condition(self, located: Located) -> Condition | None:
        if not isinstance(located.value, str):
            self._fault(located.start, f"when must be a condition in quotes, not {_kind(located.value)}")
            return None
        try:
            return compile_condition(located.value, self._names)
        except ConditionError as error:
            for flaw in error.flaws:
                self._fault(place_in(self._text, located, flaw.offset), f"when: {flaw.message}")
            return None

    def _texts(self, given: Mapping[str, Located], key: str) -> tuple[str, ...]:
        """A list of texts that are not empty, each there once."""
        located = given.get(key)
        if located is None:
            return ()
        if not isinstance(located.value, list):
            self._fault(located.start, f'{key} must be a list of names, e.g. ["aws"], not {_kind(located.value)}')
            return ()
        if not located.value:
            self._fault(located.start, f"{key} is empty: name something, or leave it out")
        if len(located.value) > ENTRIES_MAX:
            self._fault(located.start, f"{key} has more than {ENTRIES_MAX} entries")
            return ()
        found: list[str] = []
        for item in located.value:
            if not isinstance(item.value, str):
                self._fault(item.start, f"{key} holds names, not {_kind(item.value)}")
            elif not item.value.strip() or len(item.value) > NAME_CHARS_MAX:
                self._fault(item.start, f"{key} holds a name that is empty or too long")
            elif item.value in found:
                self._fault(item.start, f"{key} names {item.value!r} twice")
            else:
                found.append(item.value)
        return tuple(found)

    def _pools(self, given: Mapping[str, Located], key: str) -> tuple[str, ...]:
        found = self._texts(given, key)
        items = given[key].value if found else []
        for item in items:
            if isinstance(item.value, str):
                self._check_pool(item)
        return found

    def _check_pool(self, located: Located) -> None:
        known = self._names.pools
        if known is not None and located.value != EVERY_POOL and located.value not in known:
            self._fault(located.start, f"there is no pool {located.value!r}{nearest(located.value, known)}")

    def _cloud(self, given: Mapping[str, Located]) -> CloudPolicy | None:
        located = given.get("cloud")
        if located is None:
            return None
        for policy in get_args(CloudPolicy):
            if located.value == policy:
                return policy
        told = nearest(located.value, get_args(CloudPolicy)) if isinstance(located.value, str) else ""
        self._fault(located.start, f"cloud is allow, prefer or never{told}")
        return None

    def _refuse_contradictions(self, given: Mapping[str, Located], cloud: CloudPolicy | None) -> None:
        allowed, forbidden = _names_in(given.get("allow")), _names_in(given.get("forbid"))
        preferred = _names_in(given.get("prefer"))
        for name, located in forbidden.items():
            if name in allowed:
                self._fault(located.start, f"{name!r} is both allowed and forbidden")
            elif name in preferred:
                self._fault(located.start, f"{name!r} is both preferred and forbidden")
        if cloud in ("allow", "prefer") and EVERY_POOL in forbidden:
            self._fault(given["cloud"].start, f"cloud is {cloud}, and every pool is forbidden")

    # ---- Caps ----

    def _caps(self, given: Mapping[str, Located], rule: str) -> tuple[Cap, ...]:
        located = given.get("cap")
        if located is None:
            return ()
        items: list[Located] = located.value if isinstance(located.value, list) else [located]
        if not items:
            self._fault(located.start, "cap is empty: name a pool and slots or a share, or leave it out")
        found = [self._cap(item, rule) for item in items[:ENTRIES_MAX]]
        if len(items) > ENTRIES_MAX:
            self._fault(located.start, f"cap has more than {ENTRIES_MAX} entries")
        return tuple(cap for cap in found if cap is not None)

    def _cap(self, located: Located, rule: str) -> Cap | None:
        if not isinstance(located.value, dict):
            self._fault(located.start, f'cap is a table, e.g. {{pool = "aws", slots = 10}}, not {_kind(located.value)}')
            return None
        before = len(self._faults)
        for key, start in located.keys.items():
            if key not in CAP_KEYS:
                self._fault(start, f"{key!r} is no key of a cap{nearest(key, CAP_KEYS)}")
        if not {"slots", "share"} & set(located.value):
            self._fault(located.start, "cap has neither slots nor a share")
        pool = located.value.get("pool", Located(EVERY_POOL, located.start))
        if isinstance(pool.value, str):
            self._check_pool(pool)
        else:
            self._fault(pool.start, f"pool must be a name, not {_kind(pool.value)}")
        slots, share = located.value.get("slots"), located.value.get("share")
        if slots is not None and not (type(slots.value) is int and 0 <= slots.value <= SLOTS_MAX):
            self._fault(slots.start, f"slots is a whole number from 0 to {SLOTS_MAX}")
        if share is not None and not (type(share.value) in (int, float) and 0 <= share.value <= 1):
            self._fault(share.start, "share is a number from 0 to 1")
        if len(self._faults) > before:
            return None
        return Cap(rule, pool.value, slots.value if slots else None, float(share.value) if share else None)


def _names_in(located: Located | None) -> dict[str, Located]:
    items = located.value if located is not None and isinstance(located.value, list) else []
    return {item.value: item for item in items if isinstance(item.value, str)}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    names = {str: "a text", int: "a number", float: "a number", list: "a list", dict: "a table", type(None): "nothing"}
    return names.get(type(value), f"a {type(value).__name__}")
