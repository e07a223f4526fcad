"""The routing rules through time: every set that was ever in force, who wrote it and when, and the one in force now.

Sets are never changed: a new one is a new version, and so is going back to an old one. What is refused changes nothing.
The compiled book in force is `farm.book`; the tick routes by it from its next run on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, func, select

from scheduler.errors import Conflict, NotFound
from scheduler.routing.reading_rules import Syntax, read_rules
from scheduler.routing.rule_faults import RuleError
from scheduler.routing.rules import EMPTY_BOOK, Rule, RuleBook
from scheduler.routing.vocabulary import Names
from scheduler.service.farm import Farm, iso
from scheduler.service.ledger import Ledger
from scheduler.store.production import RuleSet
from scheduler.store.transaction import Transaction

BESIDE_RULES = ("version", "note", "author", "created_at", "syntax", "troubles")
"""Keys of what `GET /rules` answers; they may come back with the rules, so that it can be edited and put."""

AUTHOR_SETTINGS = "the settings"


@dataclass(frozen=True)
class NewRules:
    """Rules as they were sent. `expected`: versions that they may follow; None: whichever is in force."""

    text: str
    syntax: Syntax
    author: str
    note: str = ""
    expected: Collection[int] | None = None


def names_of(farm: Farm) -> Names:
    """The pools and budgets that rules of this farm may name."""
    here = {worker.pool for worker in farm.live.workers.values()}
    return Names.of({*farm.settings.pools, *here}, farm.settings.budgets)


def load_rules(farm: Farm) -> RuleBook:
    """Bring the rules in force back at start; where there are none yet, those of the settings become version 1.

    Raises:
        Refused: the rules of the settings are wrong.
    """
    with farm.store.read() as session:
        row = _newest(session)
    if row is not None:
        farm.book = RuleBook(row.version or 0, _compiled(row.rules, Names()))
    elif farm.settings.rules:
        farm.book = farm.store.write(lambda tx: _from_settings(farm, tx))
    else:
        farm.book = EMPTY_BOOK
    return farm.book


async def replace_rules(farm: Farm, wanted: NewRules) -> RuleBook:
    """Put new rules in force, all of them or none.

    Raises:
        RuleError: they cannot be used; those in force stay.
        Conflict: `rules_changed`, somebody else has changed them meanwhile.
    """
    names = names_of(farm)
    rules = await asyncio.to_thread(read_rules, wanted.text, wanted.syntax, names, beside=BESIDE_RULES)
    return await _put(farm, rules, wanted)


async def roll_back(farm: Farm, version: int, author: str, expected: Collection[int] | None = None) -> RuleBook:
    """Put an old version in force again, as a new version. Pools that are gone meanwhile do not hinder it.

    Raises:
        NotFound: there is no such version.
        Conflict: as `replace_rules`.
    """

    def load() -> RuleSet:
        with farm.store.read() as session:
            return find_version(session, version)

    row = await asyncio.to_thread(load)
    rules = await asyncio.to_thread(_compiled, row.rules, Names())
    syntax: Any = row.syntax
    wanted = NewRules(row.text, syntax, author, f"version {version} again", expected)
    return await _put(farm, rules, wanted)


async def _put(farm: Farm, rules: tuple[Rule, ...], wanted: NewRules) -> RuleBook:
    def change(tx: Transaction, ledger: Ledger) -> int:
        newest = _newest_version(tx.session)
        if wanted.expected is not None and newest not in wanted.expected:
            raise Conflict(
                f"The rules were changed meanwhile: version {newest} is in force.",
                code="rules_changed",
                details={"version": newest},
                hint="Look at the rules in force, make your change to them, and send it with their version.",
            )
        version = _store(tx, rules, wanted, ledger.now_s)
        ledger.replan = True
        ledger.event(tx, "rules.changed", version=version, by=wanted.author, rules=len(rules))
        return version

    version = await farm.change(change)
    if version > farm.book.version:  # two may have been stored; the later one is in force, whoever gets here first
        farm.book = RuleBook(version, rules)
    return farm.book if farm.book.version == version else RuleBook(version, rules)


def _store(tx: Transaction, rules: tuple[Rule, ...], wanted: NewRules, now_s: float) -> int:
    row = RuleSet(
        rules=[dict(rule.data) for rule in rules],
        text=wanted.text,
        syntax=wanted.syntax,
        author=wanted.author,
        note=wanted.note,
        created_at=now_s,
    )
    tx.session.add(row)
    tx.session.flush()
    return row.version or 0


def _from_settings(farm: Farm, tx: Transaction) -> RuleBook:
    text = json.dumps({"rules": farm.settings.rules}, ensure_ascii=False, indent=2, default=str)
    try:
        rules = read_rules(text, "json", names_of(farm))
    except RuleError as error:
        error.hint = "Correct [[rules]] in the settings; `outfield rules check FILE` shows line and column."
        raise
    return RuleBook(_store(tx, rules, NewRules(text, "json", AUTHOR_SETTINGS), farm.now_s()), rules)


def _compiled(rules: list[dict[str, Any]], names: Names) -> tuple[Rule, ...]:
    return read_rules(json.dumps({"rules": rules}), "json", names)


# ---- Looking at them -----------------------------------------------------------------------------------------------


def show_rules(session: Session, version: int) -> dict[str, Any]:
    """A version as `GET /rules` shows it; version 0 are the rules of a farm that has none."""
    if version == 0:
        return {"rules": [], "version": 0, "syntax": "toml", "author": "", "note": "", "created_at": None}
    row = find_version(session, version)
    return {"rules": row.rules, **_head(row)}


def show_text(session: Session, version: int) -> dict[str, Any]:
    """A version as it was written."""
    row = find_version(session, version)
    return {"text": row.text, "rules": row.rules, **_head(row)}


def list_versions(session: Session, limit: int, before: int | None = None) -> list[dict[str, Any]]:
    """At most `limit` versions, newest first; `before`: only older ones."""
    query = select(RuleSet).order_by(col(RuleSet.version).desc()).limit(limit)
    if before is not None:
        query = query.where(col(RuleSet.version) < before)
    return [{**_head(row), "rules": len(row.rules)} for row in session.exec(query).all()]


def find_version(session: Session, version: int) -> RuleSet:
    """A stored version.

    Raises:
        NotFound: there is none of this number.
    """
    row = session.get(RuleSet, version)
    if row is None:
        raise NotFound(
            f"There is no version {version} of the rules.", code="rules_unknown", hint="See `outfield rules history`."
        )
    return row


def _head(row: RuleSet) -> dict[str, Any]:
    return {
        "version": row.version,
        "syntax": row.syntax,
        "author": row.author,
        "note": row.note,
        "created_at": iso(row.created_at),
    }


def _newest_version(session: Session) -> int:
    return session.exec(select(func.max(RuleSet.version))).one() or 0


def _newest(session: Session) -> RuleSet | None:
    return session.exec(select(RuleSet).order_by(col(RuleSet.version).desc()).limit(1)).first()
