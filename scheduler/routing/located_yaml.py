"""YAML with places, by PyYAML's safe loader: plain data only, bounded in depth, without aliases.

Source: https://pyyaml.org/wiki/PyYAMLDocumentation (nodes carry their marks).
"""

from __future__ import annotations

from typing import Any

import yaml

from scheduler.routing.located import Located, SyntaxFault
from scheduler.routing.scanning import DEPTH_MAX

PLAIN_TAGS = "tag:yaml.org,2002:"
"""What the tags of plain data begin with; those of Python's objects go on with `python/`."""

EVENTS_MAX = 200_000
"""Parts of a document; more than any set of rules needs."""


def read_yaml(text: str) -> Located:
    """A YAML document, located; an empty one is an empty table.

    Raises:
        SyntaxFault: it is not YAML, uses aliases or tags of its own, or names a key twice.
    """
    try:
        _refuse_depth(text)
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        return Located({}, 0, len(text)) if node is None else _Reader(loader, text).read(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem or error.context or "not YAML")
        raise SyntaxFault(problem, mark.index if mark is not None else 0) from error
    except yaml.reader.ReaderError as error:
        raise SyntaxFault(f"the character {error.character!r} may not stand here", int(error.position or 0)) from error
    except SyntaxFault:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise SyntaxFault(str(error), 0) from error


def _refuse_depth(text: str) -> None:
    """Look at the events alone first: nodes are made by recursion."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        at = event.start_mark.index if event.start_mark is not None else 0
        if isinstance(event, yaml.AliasEvent):
            raise SyntaxFault("aliases are not used in rules: write the value out", at)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_MAX or count > EVENTS_MAX:
            raise SyntaxFault("nested too deeply, or too long", at)


class _Reader:
    def __init__(self, loader: yaml.SafeLoader, text: str) -> None:
        self._loader, self._text = loader, text

    def read(self, node: yaml.Node) -> Located:
        start, end = node.start_mark.index, node.end_mark.index
        if not node.tag.startswith(PLAIN_TAGS) or node.tag.startswith(f"{PLAIN_TAGS}python/"):
            raise SyntaxFault(f"the tag {node.tag} is not used in rules", start)
        if isinstance(node, yaml.MappingNode):
            return self._table(node)
        if isinstance(node, yaml.SequenceNode):
            return Located([self.read(inner) for inner in node.value], start, end)
        value = self._scalar(node)
        if not isinstance(value, str) or not isinstance(node, yaml.ScalarNode):
            return Located(value, start, end)
        if node.style in {'"', "'"}:
            return Located(value, start, end - 1, escapes="\\" if node.style == '"' else "''", body=start + 1)
        # A block begins after its header line (`|`, `>-`); a plain text at once.
        body = self._text.find("\n", start) + 1 if node.style in {"|", ">"} else start
        return Located(value, start, end, body=max(start, body))

    def _table(self, node: yaml.MappingNode) -> Located:
        found = Located({}, node.start_mark.index, node.end_mark.index)
        for key_node, value_node in node.value:
            key: Any = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            at = key_node.start_mark.index
            if not isinstance(key, str):
                raise SyntaxFault("a key must be a text", at)
            if key in found.value:
                raise SyntaxFault(f"the key {key!r} is there twice", at)
            found.value[key] = self.read(value_node)
            found.keys[key] = at
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            return self._loader.construct_object(node)
        except ValueError as error:
            raise SyntaxFault(str(error), node.start_mark.index) from error
