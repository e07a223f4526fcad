"""From one table of a text to one rule, with every fault of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from scheduler.routing.compiling import ConditionError, compile_condition
from scheduler.routing.conditions import Condition
from scheduler.routing.located import Located, place_in
from scheduler.routing.rule_faults import Faults
from scheduler.routing.rules import ACTIONS, EVERY_POOL, Cap, CloudPolicy, Rule
from scheduler.routing.vocabulary import Names, nearest

NAME_CHARS_MAX = 200
NOTE_CHARS_MAX = 2000
ENTRIES_MAX = 64
"""Pools, tags or caps in one list."""

KEYS = ("name", "when", *ACTIONS, "note")
CAP_KEYS = ("pool", "slots", "share")
SLOTS_MAX = 1_000_000


class RuleReader:
    """Reads the rules of one text, one by one."""

    def __init__(self, text: str, names: Names, faults: Faults) -> None:
        self._text, self._names, self._faults = text, names, faults

    def read(self, index: int, item: Located) -> Rule | None:
        """The rule, or None if it has faults."""
        faults, before = self._faults, len(self._faults)
        faults.begin(index)
        if not isinstance(item.value, dict):
            faults.add(item.start, "a rule is a table with a name, a condition and what follows from it")
            return None
        given: dict[str, Located] = item.value
        if "name" in given and isinstance(given["name"].value, str):
            faults.begin(index, given["name"].value[:NAME_CHARS_MAX])
        self._check_keys(item, KEYS, "a rule")
        if "name" not in given:
            faults.add(item.start, "the rule has no name")
        name = self._text_of(given, "name", NAME_CHARS_MAX, needed=True)
        note = self._text_of(given, "note", NOTE_CHARS_MAX)
        condition = self._condition(given["when"]) if "when" in given else None
        allow, forbid, prefer = (self._pools(given, key) for key in ("allow", "forbid", "prefer"))
        tags, caps, cloud = self._texts(given, "require_tags"), self._caps(given, name), self._cloud(given)
        if not any(key in given for key in ACTIONS) and set(given) <= set(KEYS):  # else the unknown key is meant as one
            faults.add(item.start, f"the rule does nothing: give it one of {', '.join(ACTIONS)}")
        self._refuse_contradictions(given, cloud)
        if len(faults) > before:
            return None
        return Rule(name, condition, allow, forbid, prefer, caps, tags, cloud, note, item.plain())

    def _check_keys(self, table: Located, known: tuple[str, ...], what: str) -> None:
        for key, start in table.keys.items():
            if key not in known:
                self._faults.add(start, f"{key!r} is no key of {what}{nearest(key, known)}")

    def _text_of(self, given: Mapping[str, Located], key: str, chars_max: int, *, needed: bool = False) -> str:
        located = given.get(key)
        if located is None:
            return ""
        if not isinstance(located.value, str):
            self._faults.add(located.start, f"{key} must be a text, not {_kind(located.value)}")
        elif needed and not located.value.strip():
            self._faults.add(located.start, f"{key} is empty")
        elif len(located.value) > chars_max:
            self._faults.add(located.start, f"{key} has more than {chars_max} characters")
        elif not located.value.isprintable() and key == "name":
            self._faults.add(located.start, "name holds characters that cannot be shown")
        else:
            return located.value
        return ""

    def _condition(self, located: Located) -> Condition | None:
        if not isinstance(located.value, str):
            self._faults.add(located.start, f"when must be a condition in quotes, not {_kind(located.value)}")
            return None
        try:
            return compile_condition(located.value, self._names)
        except ConditionError as error:
            for flaw in error.flaws:
                self._faults.add(place_in(self._text, located, flaw.offset), f"when: {flaw.message}")
            return None

    def _texts(self, given: Mapping[str, Located], key: str) -> tuple[str, ...]:
        """A list of texts that are not empty, each there once."""
        located = given.get(key)
        if located is None:
            return ()
        if not isinstance(located.value, list):
            self._faults.add(located.start, f'{key} must be a list of names, e.g. ["aws"], not {_kind(located.value)}')
            return ()
        if not located.value:
            self._faults.add(located.start, f"{key} is empty: name something, or leave it out")
        if len(located.value) > ENTRIES_MAX:
            self._faults.add(located.start, f"{key} has more than {ENTRIES_MAX} entries")
            return ()
        found: list[str] = []
        for item in located.value:
            wrong = _wrong_name(item.value, found)
            if wrong:
                self._faults.add(item.start, f"{key} {wrong}")
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
            self._faults.add(located.start, f"there is no pool {located.value!r}{nearest(located.value, known)}")

    def _cloud(self, given: Mapping[str, Located]) -> CloudPolicy | None:
        located = given.get("cloud")
        if located is None:
            return None
        for policy in get_args(CloudPolicy):
            if located.value == policy:
                return policy
        told = nearest(located.value, get_args(CloudPolicy)) if isinstance(located.value, str) else ""
        self._faults.add(located.start, f"cloud is allow, prefer or never{told}")
        return None

    def _refuse_contradictions(self, given: Mapping[str, Located], cloud: CloudPolicy | None) -> None:
        allowed, forbidden = _names_in(given.get("allow")), _names_in(given.get("forbid"))
        preferred = _names_in(given.get("prefer"))
        for name, located in forbidden.items():
            if name in allowed:
                self._faults.add(located.start, f"{name!r} is both allowed and forbidden")
            elif name in preferred:
                self._faults.add(located.start, f"{name!r} is both preferred and forbidden")
        if cloud in ("allow", "prefer") and EVERY_POOL in forbidden:
            self._faults.add(given["cloud"].start, f"cloud is {cloud}, and every pool is forbidden")

    # ---- Caps ----

    def _caps(self, given: Mapping[str, Located], rule: str) -> tuple[Cap, ...]:
        located = given.get("cap")
        if located is None:
            return ()
        items: list[Located] = located.value if isinstance(located.value, list) else [located]
        if not items:
            self._faults.add(located.start, "cap is empty: name a pool and slots or a share, or leave it out")
        found = [self._cap(item, rule) for item in items[:ENTRIES_MAX]]
        if len(items) > ENTRIES_MAX:
            self._faults.add(located.start, f"cap has more than {ENTRIES_MAX} entries")
        return tuple(cap for cap in found if cap is not None)

    def _cap(self, located: Located, rule: str) -> Cap | None:
        if not isinstance(located.value, dict):
            self._faults.add(
                located.start, f'cap is a table, e.g. {{pool = "aws", slots = 10}}, not {_kind(located.value)}'
            )
            return None
        before = len(self._faults)
        self._check_keys(located, CAP_KEYS, "a cap")
        if not {"slots", "share"} & set(located.value):
            self._faults.add(located.start, "cap has neither slots nor a share")
        pool = located.value.get("pool", Located(EVERY_POOL, located.start))
        if isinstance(pool.value, str):
            self._check_pool(pool)
        else:
            self._faults.add(pool.start, f"pool must be a name, not {_kind(pool.value)}")
        slots, share = located.value.get("slots"), located.value.get("share")
        if slots is not None and not (type(slots.value) is int and 0 <= slots.value <= SLOTS_MAX):
            self._faults.add(slots.start, f"slots is a whole number from 0 to {SLOTS_MAX}")
        if share is not None and not (type(share.value) in (int, float) and 0 <= share.value <= 1):
            self._faults.add(share.start, "share is a number from 0 to 1")
        if len(self._faults) > before:
            return None
        return Cap(rule, pool.value, slots.value if slots else None, float(share.value) if share else None)


def _wrong_name(value: Any, before: Sequence[str]) -> str:
    """What is wrong with an entry of a list of names, after those before it; empty: nothing."""
    if not isinstance(value, str):
        return f"holds names, not {_kind(value)}"
    if not value.strip() or len(value) > NAME_CHARS_MAX:
        return "holds a name that is empty or too long"
    return f"names {value!r} twice" if value in before else ""


def _names_in(located: Located | None) -> dict[str, Located]:
    items = located.value if located is not None and isinstance(located.value, list) else []
    return {item.value: item for item in items if isinstance(item.value, str)}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    names = {str: "a text", int: "a number", float: "a number", list: "a list", dict: "a table", type(None): "nothing"}
    return names.get(type(value), f"a {type(value).__name__}")
