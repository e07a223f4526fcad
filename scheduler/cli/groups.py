"""Verbs by name, loaded when they are asked for: `outfield jobs` must not pay for importing `outfield demo`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import typer
import typer.core
import typer.main

from scheduler.cli.coercion import make_plain
from scheduler.cli.verbs import as_verb

Command = Any
"""A command as typer makes it; typer brings its own copy of click, whose types are private."""


@dataclass(frozen=True)
class Place:
    """Where a verb is found: `module:name` of its function, or for a group of verbs another table of places.

    `help` is its line in the list of verbs: the docstring's first line, here once more so that listing imports nothing.
    `panel` is the heading that it stands under.
    """

    target: str = ""
    help: str = ""
    panel: str = "Commands"
    verbs: Places = ()


Places = tuple[tuple[str, Place], ...]
"""Verbs by name, in the order in which they are listed."""


class LazyVerbs(MutableMapping[str, Command]):
    """The commands of a group; each is made when it is first looked up."""

    def __init__(self, places: Places) -> None:
        self._places = dict(places)
        self._made: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        if name not in self._made:
            self._made[name] = _make(name, self._places[name])
        return self._made[name]

    def __setitem__(self, name: str, command: Command) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._places, **self._made})

    def __len__(self) -> int:
        return len({**self._places, **self._made})

    def __contains__(self, name: object) -> bool:
        return name in self._places or name in self._made


class VerbCommand(typer.core.TyperCommand):
    """One verb."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _plainly(super().get_params(ctx))


def group_class(places: Places) -> type[typer.core.TyperGroup]:
    """A class of groups that holds exactly these verbs."""

    class VerbGroup(typer.core.TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            attributes["commands"] = LazyVerbs(places)
            super().__init__(**attributes)

        def get_params(self, ctx: Any) -> list[Any]:
            return _plainly(super().get_params(ctx))

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's own version loads every command
            return [name for name, _ in places]

        def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the same
            for panel in dict.fromkeys(place.panel for _, place in places):
                with formatter.section(panel):
                    formatter.write_dl([(name, place.help) for name, place in places if place.panel == panel])

    return VerbGroup


def new_app(places: Places, **options: Any) -> typer.Typer:
    """An application or group with these verbs."""
    return typer.Typer(
        cls=group_class(places),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # with rich, and markdown-it which it needs, help would take twice as long
        **options,
    )


def _make(name: str, place: Place) -> Command:
    if place.verbs:
        group = new_app(place.verbs, help=place.help, name=name, add_completion=False)
        group.callback()(_nothing)
        made = typer.main.get_command(group)
        made.help = place.help
        return made
    module, _, function = place.target.partition(":")
    verb: Callable[..., object] = getattr(importlib.import_module(module), function)
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    single.command(name, cls=VerbCommand)(as_verb(verb))
    return typer.main.get_command(single)


def _plainly(params: list[Any]) -> list[Any]:
    for param in params:
        make_plain(param)
    return params


def _nothing() -> None:
    """A group does nothing by itself."""
