"""Carrying out a plan, piece by piece: what a provider's hands must be able to do, and the loop that uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from scheduler.deploying.design import Change, Design, Found, Piece

Tell = Callable[[Change], None]


class Hands(Protocol):
    """Finds, makes and removes the pieces of one farm at one provider.

    Every call raises an `OutfieldError` in words for the admin where the provider refuses.
    """

    def find(self) -> Sequence[Found]:
        """The pieces that are there, by their labels."""
        ...

    def make(self, piece: Piece, ids: Mapping[str, str]) -> str:
        """Make one piece out of those that it needs (`ids` by name); returns the provider's id."""
        ...

    def remove(self, found: Found) -> None:
        """Remove one piece; one that has gone already is no error."""
        ...


def make_all(design: Design, hands: Hands, tell: Tell) -> dict[str, str]:
    """Make what is missing, in order; returns every piece's id. What stops it is raised; the same call goes on there.

    What an earlier call has left unfinished is removed first, and made anew.
    """
    there = hands.find()
    for found in there:
        if not found.piece:
            hands.remove(found)
    ids = {found.piece: found.id for found in there if found.piece}
    for piece in design.pieces:
        if piece.name in ids:
            continue
        ids[piece.name] = hands.make(piece, ids)
        tell(Change("make", piece.name, piece.words, ids[piece.name], piece.usd_per_hour))
    return ids


def remove_all(changes: Sequence[Change], hands: Hands, tell: Tell) -> None:
    """Remove what a plan of `to_remove` says, in its order."""
    for change in changes:
        if change.action == "remove":
            hands.remove(Found(change.piece, change.id))
            tell(change)
