"""Texts from the command line as str, int, float, bool, Path and enum, without pydantic.

Typer 0.29 makes a pydantic adapter for every parameter of the verb that runs, even for those that were not given: 80 ms
for importing pydantic and 1 ms each, of the 300 ms that a verb may take to start. What stands here replaces that step
for the plain types that this command line uses; anything else stays with typer.
"""

from __future__ import annotations

import enum
import types
import typing
from pathlib import Path
from typing import Any

import typer

WORDS = {int: "a whole number", float: "a number", bool: "yes or no"}
TRUE, FALSE = frozenset({"1", "true", "yes", "on", "y", "t"}), frozenset({"0", "false", "no", "off", "n", "f"})


class Plain:
    """How one parameter's value is read; stands in the place of typer's own object with this method."""

    def __init__(self, kind: type, *, many: bool, lowest: float | None, highest: float | None) -> None:
        self._kind, self._many, self._lowest, self._highest = kind, many, lowest, highest

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value, or () or None when none was given.

        Raises:
            typer.BadParameter: the text is no such value.
        """
        if value is None:
            return () if self._many else None
        if not self._many:
            return self._one(value, param, ctx)
        return [self._one(item, param, ctx) for item in value]

    def _one(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            found = convert(value, self._kind)
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=param) from error
        if isinstance(found, int | float) and not isinstance(found, bool):
            self._check_range(found, param, ctx)
        return found

    def _check_range(self, number: float, param: Any, ctx: Any) -> None:
        if self._lowest is not None and number < self._lowest:
            raise typer.BadParameter(f"{number} is too small; the least is {self._lowest}.", ctx=ctx, param=param)
        if self._highest is not None and number > self._highest:
            raise typer.BadParameter(f"{number} is too large; the most is {self._highest}.", ctx=ctx, param=param)


def convert(value: Any, kind: type) -> Any:
    """A text as a value of `kind`; what is one already stays.

    Raises:
        ValueError: it is none; the message says what would be one.
    """
    if isinstance(value, kind):
        return value
    if kind is bool:
        word = str(value).strip().lower()
        if word in TRUE | FALSE:
            return word in TRUE
        raise ValueError(f"{value!r} is not {WORDS[bool]}.")
    try:
        return kind(value)
    except ValueError:
        if issubclass(kind, enum.Enum):
            raise ValueError(f"{value!r} is not one of {', '.join(str(item.value) for item in kind)}.") from None
        raise ValueError(f"{value!r} is not {WORDS.get(kind, 'understood')}.") from None


def plain_type(annotation: Any) -> tuple[type, bool] | None:
    """The type of one value and whether it is a list of them; None for anything but the plain types."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(annotation) if part is not type(None)]
        return plain_type(inner[0]) if len(inner) == 1 else None
    if typing.get_origin(annotation) is list:
        found = plain_type(typing.get_args(annotation)[0])
        return (found[0], True) if found else None
    if annotation in (str, int, float, bool, Path):
        return annotation, False
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return annotation, False
    return None


def make_plain(param: Any) -> None:
    """Take pydantic out of a parameter's way, where this typer uses it (`_runtime_param`, filled when first needed)."""
    if getattr(param, "_runtime_param", _OTHER_TYPER) is not None:
        return
    found = plain_type(param.type_descriptor.annotation)
    if found is None:
        return
    info = param.type_descriptor.parameter_info
    many = bool(getattr(param, "multiple", False)) or param.nargs == -1 or found[1]
    plain = Plain(found[0], many=many, lowest=getattr(info, "min", None), highest=getattr(info, "max", None))
    setattr(param, "_runtime_param", plain)  # noqa: B010 - the attribute is typer's own


_OTHER_TYPER = object()
"""An older typer converts with click's types and needs nothing."""
