# SPDX-License-Identifier: Apache-2.0
"""Fields of a renderer as the farm describes them (`GET /info`), so that a new renderer needs no new add-on. PURE.

What an add-on cannot draw (lists, objects) it leaves out; the farm has a default for it.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from .errors import Refused

KINDS = {"integer": "int", "number": "float", "boolean": "bool", "string": "text"}
OWN = frozenset({"scene"})
"""Fields that the add-on fills in by itself."""


class Field:
    """One field: `kind` is int, float, bool, text or choice."""

    def __init__(self, name: str, kind: str, schema: Dict[str, Any]) -> None:
        self.name, self.kind = name, kind
        self.title = name.replace("_", " ").capitalize()
        self.help = str(schema.get("description", ""))
        self.default = schema.get("default")
        self.choices = tuple(str(value) for value in schema.get("enum", ()))
        self.low = _bound(schema, "minimum", "exclusiveMinimum")
        self.high = _bound(schema, "maximum", "exclusiveMaximum")

    def checked(self, value: Any) -> Any:
        """The value in the field's type.

        Raises:
            Refused: it does not fit.
        """
        try:
            made = {"int": int, "float": float, "bool": bool}.get(self.kind, str)(value)
        except (TypeError, ValueError) as error:
            raise self._wrong(value) from error
        if self.kind == "choice" and made not in self.choices:
            raise self._wrong(value)
        if (self.low is not None and made < self.low) or (self.high is not None and made > self.high):
            raise self._wrong(value)
        return made

    def _wrong(self, value: Any) -> Refused:
        values = {
            "title": self.title,
            "value": value,
            "choices": ", ".join(self.choices),
            "low": "…" if self.low is None else self.low,
            "high": "…" if self.high is None else self.high,
        }
        if self.low is not None or self.high is not None:
            return Refused(
                "{title} cannot be {value!r}.", values, code="bad_setting", hint="It lies between {low} and {high}."
            )
        if self.choices:
            return Refused("{title} cannot be {value!r}.", values, code="bad_setting", hint="One of: {choices}.")
        return Refused("{title} cannot be {value!r}.", values, code="bad_setting")


def fields_of(info: Dict[str, Any], renderer: str) -> List[Field]:
    """The fields of a renderer; none while the farm is unknown or does not have it."""
    for known in info.get("renderers") or []:
        if known.get("name") == renderer:
            schema = known.get("settings") or {}
            definitions = schema.get("$defs") or {}
            found = [_field(name, each, definitions) for name, each in (schema.get("properties") or {}).items()]
            return [field for field in found if field is not None and field.name not in OWN]
    return []


def job_knows(info: Dict[str, Any], field: str) -> bool:
    """Does this farm's `POST /new_job` have the field? A field that does nothing is worse than none."""
    return field in ((info.get("job") or {}).get("properties") or {})


def settings_of(overrides: Dict[str, Any]) -> Dict[str, Any]:
    """Overrides without those that say nothing."""
    return {name: value for name, value in overrides.items() if value is not None and value != ""}


def _field(name: str, schema: Dict[str, Any], definitions: Dict[str, Any]) -> Optional[Field]:
    chosen, outer = _without_null(schema, definitions), dict(schema)
    if chosen is None:
        return None
    merged = {**chosen, **{key: outer[key] for key in ("description", "default", "title") if key in outer}}
    kind = "choice" if "enum" in merged else KINDS.get(str(merged.get("type")), "")
    return Field(name, kind, merged) if kind else None


def _without_null(schema: Dict[str, Any], definitions: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """The one alternative that is not "nothing"; None: there are several, or it is no plain value."""
    options = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    if len(options) != 1:
        return None
    option = options[0]
    reference = str(option.get("$ref", "")).rpartition("/")[2]
    return definitions.get(reference) if reference else option


def _bound(schema: Dict[str, Any], closed: str, opened: str) -> Optional[float]:
    value = schema.get(closed, schema.get(opened))
    return value if isinstance(value, (int, float)) else None


def described(fields: List[Field]) -> List[Tuple[str, str]]:
    """Names and kinds, for an add-on to see whether its own list is still right."""
    return [(field.name, field.kind) for field in fields]
