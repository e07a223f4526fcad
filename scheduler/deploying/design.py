"""What a farm needs at a provider, as data; and what has to be made or removed to get there. Pure.

A *design* is a list of *pieces* in the order in which they are made; every piece names those that it needs. What is
*found* at the provider carries the deployment's label and the piece's name, so that the same command can be given again
at any time: it goes on where it stopped. Removing goes the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scheduler.errors import Refused

LABEL = "outfield-deploy"
"""The label of a deployment; its value is the farm's name. Instances of pools carry other labels, the reaper's."""

LABEL_PIECE = "outfield-piece"

HOURS_PER_MONTH = 730

_FARM = re.compile(r"[a-z][a-z0-9-]{0,18}[a-z0-9]")


@dataclass(frozen=True)
class Piece:
    """One thing at a provider. `name` is unique in its design, `words` say what it is and why; `spec` is for the hands.

    `usd_per_hour` is what it costs while nothing happens; None: nobody knows, so say it with --price.
    """

    name: str
    words: str
    needs: tuple[str, ...] = ()
    usd_per_hour: float | None = 0.0
    spec: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Design:
    """All pieces of one farm at one provider, in the order in which they are made; `notes` is for people."""

    cloud: str
    farm: str
    place: str
    pieces: tuple[Piece, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        made: set[str] = set()
        for piece in self.pieces:
            assert piece.name not in made, f"{piece.name} comes twice"
            assert made.issuperset(piece.needs), f"{piece.name} comes too early"
            made.add(piece.name)


@dataclass(frozen=True)
class Found:
    """A piece as it is at the provider: its name in the design (empty: it was never finished), the provider's id, and
    anything that keeps it there."""

    piece: str
    id: str
    kept: str = ""


@dataclass(frozen=True)
class Change:
    """One line of a plan. `action` is make, there, remove or keep."""

    action: str
    piece: str
    words: str
    id: str = ""
    usd_per_hour: float | None = 0.0


def farm_name(text: str) -> str:
    """The farm's name as providers take it in names and labels.

    Raises:
        Refused: it does not fit.
    """
    if _FARM.fullmatch(text) is None:
        raise Refused(
            f"{text[:40]!r} cannot name a deployment.",
            code="invalid_name",
            hint="Give --farm NAME of 2 to 20 small letters, digits and dashes, beginning with a letter.",
        )
    return text


def to_make(design: Design, found: Iterable[Found]) -> tuple[Change, ...]:
    """What is missing and what is there, in the design's order."""
    there = {each.piece: each.id for each in found}
    return tuple(
        Change(
            "there" if piece.name in there else "make",
            piece.name,
            piece.words,
            there.get(piece.name, ""),
            piece.usd_per_hour,
        )
        for piece in design.pieces
    )


def to_remove(order: Sequence[str], found: Iterable[Found]) -> tuple[Change, ...]:
    """Everything that is there, the last made first. `order` is the order in which pieces are made."""
    place = {name: number for number, name in enumerate(order)}
    ordered = sorted(found, key=lambda each: place.get(each.piece, len(place)), reverse=True)
    return tuple(
        Change("keep" if each.kept else "remove", each.piece, each.kept or "carries this farm's label", each.id)
        for each in ordered
    )


def usd_per_hour(changes: Iterable[Change]) -> tuple[float, tuple[str, ...]]:
    """What all of a plan costs an hour once it stands, and the pieces whose price nobody knows."""
    listed = list(changes)
    known = sum(change.usd_per_hour for change in listed if change.usd_per_hour is not None)
    return known, tuple(change.piece for change in listed if change.usd_per_hour is None)


def priced(design_prices: Mapping[str, float], given: Mapping[str, float], name: str) -> float | None:
    """The price of a piece: what was given, else what the list says, else nobody knows."""
    return given.get(name, design_prices.get(name))
