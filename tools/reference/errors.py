"""`docs/reference/errors.md`: every `code` that the farm can answer with, found in the source itself.

The error classes give each kind's HTTP status and default code; the places that raise them with a code of their own are
read from the syntax tree, so that a new code is documented by being written.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scheduler import errors
from scheduler.api.errors import status_of
from scheduler.cli import exits
from scheduler.errors import OutfieldError
from tools.reference.markdown import code, page, paragraphs, table

ROOT = Path(__file__).resolve().parents[2]

INTRODUCTION = """Every error has this shape, and the CLI prints its message and its hint:

```json
{"data": {"code": "snake_case", "details": null, "hint": "what to do next"}, "message": "what happened"}
```

Codes are stable; messages are for people and may change. Words in braces stand for what the error is about."""


UNREADABLE = "depends on the case"


@dataclass(frozen=True, order=True)
class Case:
    """One code as it is raised somewhere."""

    code: str
    kind: str
    message: str
    hint: str


def render() -> str:
    """The page."""
    found = [*vars(errors).values(), *vars(exits).values()]
    kinds = {k.__name__: k for k in found if isinstance(k, type) and issubclass(k, OutfieldError)}
    tree = [(code(name), status(k()), code(k.code), paragraphs(k.__doc__), k.hint) for name, k in kinds.items()]
    listed = [
        (code(case.code), status(kinds[case.kind](code=case.code)), case.message, case.hint)
        for case in merged(cases(kinds))
    ]
    return page(
        "Errors",
        "scheduler/errors.py and the places that raise",
        INTRODUCTION,
        "## Kinds\n\n" + table(("Kind", "HTTP", "Code", "Meaning", "What to do"), tree),
        "## Codes\n\n" + table(("Code", "HTTP", "Message", "What to do"), listed),
    )


def status(error: OutfieldError) -> str:
    """The HTTP status code; none for what only the command line knows."""
    return "" if type(error).__module__ == exits.__name__ else str(status_of(error))


def cases(kinds: dict[str, type[OutfieldError]]) -> list[Case]:
    """Every call of an error class with a literal code in the scheduler's source."""
    found: list[Case] = []
    for path in sorted((ROOT / "scheduler").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            case = read(node, kinds) if isinstance(node, ast.Call) else None
            if case is not None:
                found.append(case)
    return found


def read(call: ast.Call, kinds: dict[str, type[OutfieldError]]) -> Case | None:
    """The case behind one call, if it raises one of our kinds with a code of its own."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    own = keywords.get("code")
    if name not in kinds or not (isinstance(own, ast.Constant) and isinstance(own.value, str)):
        return None
    message = text_of(call.args[0]) if call.args else paragraphs(kinds[name].__doc__)
    hint = text_of(keywords["hint"]) if "hint" in keywords else kinds[name].hint
    return Case(own.value, name, message, hint)


def text_of(node: ast.expr) -> str:
    """A string expression as a reader sees it: the values of an f-string in braces."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return "{" + (re.findall(r"[A-Za-z]\w*", ast.unparse(node.value)) or ["…"])[-1] + "}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    if isinstance(node, ast.IfExp):
        return f"{text_of(node.body)} / {text_of(node.orelse)}"
    return UNREADABLE


def merged(found: list[Case]) -> list[Case]:
    """One row per code and kind; different messages and hints of it stand one after another."""
    rows: dict[tuple[str, str], list[Case]] = {}
    for case in sorted(set(found)):
        rows.setdefault((case.code, case.kind), []).append(case)
    return [
        Case(own, kind, one_after_another(c.message for c in same), one_after_another(c.hint for c in same))
        for (own, kind), same in rows.items()
    ]


def one_after_another(texts: Iterable[str]) -> str:
    """Different texts, each once; what cannot be read from the source is said only where nothing else is."""
    different = list(dict.fromkeys(texts))
    return "<br>".join([text for text in different if text != UNREADABLE] or different)
