"""Files that hold rules or a job, opened for the verbs of `outfield rules`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.cli.exits import Usage
from scheduler.errors import NotFound

JOB_HINT = "Write a job as for POST /new_job into it; `outfield rules explain ID` explains one that was submitted."

if TYPE_CHECKING:
    from scheduler.routing.reading_rules import Syntax
    from scheduler.routing.rules import Rule
    from scheduler.settings import Settings

ENDINGS: dict[str, Syntax] = {".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".json": "json"}


@dataclass(frozen=True)
class RuleFile:
    """A file of rules: its text, its syntax, and the settings that say which pools and budgets there are."""

    path: Path
    text: str
    syntax: Syntax
    settings: Settings

    @classmethod
    def open(cls, path: Path, config: Path | None) -> RuleFile:
        """Read a file of rules. Pools are those of `config`, of the file itself if it is an `outfield.toml`, or of the
        settings of this machine.

        Raises:
            NotFound: there is no such file. Usage: it cannot be read, or its ending says nothing. Refused: the settings
            are wrong.
        """
        import tomllib

        from scheduler.settings import Settings, load_settings

        syntax = ENDINGS.get(path.suffix.lower())
        if syntax is None:
            raise Usage(f"{path}: rules are written in a file that ends in {', '.join(ENDINGS)}.")
        text = _read(path)
        if config is None and syntax == "toml":
            try:
                document = tomllib.loads(text)
            except tomllib.TOMLDecodeError:
                document = {}  # reading the rules says what is wrong, and where
            if set(document) & (set(Settings.model_fields) - {"rules"}):
                config = path
        return cls(path, text, syntax, load_settings(file=config).settings)

    def read(self) -> tuple[Rule, ...]:
        """The rules, as the farm would take them.

        Raises:
            RuleError: they would be refused.
        """
        from scheduler.routing.reading_rules import read_rules
        from scheduler.routing.vocabulary import Names
        from scheduler.settings import Settings

        names = Names.of(self.settings.pools, self.settings.budgets)
        beside = (*(set(Settings.model_fields) - {"rules"}), "version", "note", "author", "created_at", "syntax")
        return read_rules(self.text, self.syntax, names, beside=beside)

    def body(self, note: str) -> dict[str, Any]:
        """What is sent to put them in force."""
        return {"text": self.text, "syntax": self.syntax, "note": note}


def read_job(path: Path) -> Any:
    """A job from a JSON file, or from stdin.

    Raises:
        NotFound: there is no such file. Usage: it is not JSON.
    """
    text = sys.stdin.read() if str(path) == "-" else _read(path, JOB_HINT)
    try:
        return json.loads(text)
    except ValueError as error:
        raise Usage(
            f"{path} is not JSON: {error}.", hint='Write a job as for POST /new_job: {"name": "hello"}.'
        ) from error


def _read(path: Path, hint: str = "Check the path.") -> str:
    try:
        return path.expanduser().read_text("utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.", code="file_unknown", hint=hint) from error
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{path} cannot be read as text.", hint="Name a text file in UTF-8.") from error
