"""Write constraints.txt: the versions that this environment has of everything Outfield needs, with all its extras.

    .venv-check/bin/python tools/pin_constraints.py

Run it after an upgrade in .venv-check; it follows the declared requirements, so what was installed besides stays out.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
DISTRIBUTION = "outfield"
EXTRAS = ("postgresql", "test", "dev")


def pinned(name: str, extras: tuple[str, ...]) -> dict[str, str]:
    """Canonical name → version of all that `name` requires, itself left out."""
    versions: dict[str, str] = {}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting = [(name, extras)]
    while waiting:
        current, wanted = waiting.pop()
        if (current, wanted) in seen:
            continue
        seen.add((current, wanted))
        for text in distribution(current).requires or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                key = canonicalize_name(requirement.name)
                versions[key] = distribution(requirement.name).version
                waiting.append((requirement.name, tuple(sorted(requirement.extras))))
    return dict(sorted(versions.items()))


def main() -> None:
    """Write the file."""
    lines = [f"{name}=={version}" for name, version in pinned(DISTRIBUTION, EXTRAS).items()]
    (ROOT / "constraints.txt").write_text("\n".join(lines) + "\n")
    print(f"constraints.txt pins {len(lines)} distributions")


if __name__ == "__main__":
    main()
