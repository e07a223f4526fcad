"""Why a command cannot be carried out, as a code with data; the worker puts it in words and says whose fault it is."""

# pyright: basic

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """`code` is known to the worker's list of failures; `data` is what its sentence needs."""

    def __init__(self, code: str, **data: Any) -> None:
        self.code = code
        self.data = data
        super().__init__(code)
