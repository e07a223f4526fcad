"""Names that tell nothing: `project-1`, `shot-7`, the same one for the same name throughout an export.

The renderers, pools and numbers of a trace stay as they are, or replaying it would be another question.
"""

from __future__ import annotations

from collections import defaultdict


class Names:
    """Names as they may leave the house."""

    def __init__(self, *, anonymous: bool) -> None:
        self.anonymous = anonymous
        self._given: dict[str, dict[str, str]] = defaultdict(dict)

    def project(self, name: str) -> str:
        """A project's name."""
        return self._of("project", name)

    def shot(self, name: str) -> str:
        """A shot's name."""
        return self._of("shot", name)

    def owner(self, name: str) -> str:
        """A user's name."""
        return self._of("user", name)

    def scene(self, path: str) -> str:
        """A scene's path."""
        return self._of("scene", path)

    def worker(self, name: str) -> str:
        """A worker's name."""
        return self._of("worker", name)

    def tag(self, name: str) -> str:
        """A tag that workers have and jobs ask for."""
        return self._of("tag", name)

    def job(self, name: str) -> str:
        """A job's name."""
        return self._of("job", name)

    def _of(self, kind: str, name: str) -> str:
        if not self.anonymous or not name:
            return name
        given = self._given[kind]
        return given.setdefault(name, f"{kind}-{len(given) + 1}")
