# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between an artist's program and the farm, each a sentence with what to do next."""

from __future__ import annotations

from typing import Any, Dict, Optional

from .texts import tr


class FarmError(Exception):
    """Something an artist must be told: `message` says what, `hint` what to do next, `code` is for programs.

    Both are keys of the catalogue, with `values` to put in; the farm's own words stay as they came.
    """

    def __init__(
        self,
        text: str,
        values: Optional[Dict[str, Any]] = None,
        *,
        code: str = "failed",
        hint: str = "",
        status: int = 0,
        details: Optional[Dict[str, Any]] = None,
    ) -> None:
        self.code, self.status, self.details = code, status, details or {}
        self._text, self._hint, self._values = text, hint, values or {}
        super().__init__(text)

    @property
    def message(self) -> str:
        """What is wrong, in the artist's language."""
        return tr(self._text, **self._values)

    @property
    def hint(self) -> str:
        """What to do next, in the artist's language."""
        return tr(self._hint, **self._values)

    def __str__(self) -> str:
        return "{} {}".format(self.message, self.hint).strip()


class Unreachable(FarmError):
    """Nobody answers, or the farm cannot take anything now: what was to be sent is kept and sent later."""


class Refused(FarmError):
    """The farm says no to this request; sending it again unchanged would not help."""


class Denied(FarmError):
    """The token is missing, wrong or may not do this; what was to be sent is kept until that is mended."""


class Cancelled(FarmError):
    """The artist has stopped it."""

    def __init__(self) -> None:
        super().__init__("It was canceled.", code="canceled")


class LocalTrouble(FarmError):
    """This machine cannot do it: a file is missing or cannot be read or written, the disk is full."""
