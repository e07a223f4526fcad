"""Who owns the imported packages `scheduler`, `worker` and `kernels`: this Outfield, or a stranger of the same name.

Other distributions carry these import names, pip installs them on top of ours without a word, and removing them then
deletes our files (`docs/adr/0001-one-distribution-literal-packages.md`). The console script and `outfield doctor` ask
here before anything else. It does not use `importlib.metadata.packages_distributions()`: that parses every file list of
the environment and took 0.22 s of the CLI's 0.3 s; the search for one line in each RECORD takes a few milliseconds.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

DISTRIBUTION = "outfield"
PACKAGES = ("scheduler", "worker", "kernels")


@dataclass(frozen=True)
class Finding:
    """One package that is not (only) ours: what was found, and the line that mends it."""

    package: str
    found: str
    hint: str


def judge(package: str, origin: Path | None, owners: Iterable[str], home: Path) -> Finding | None:
    """What is wrong with one package, or None.

    Args:
        package: the import name.
        origin: the file that `import package` would run; None when there is none.
        owners: the distributions that recorded this package in the folder it is imported from; empty in a checkout.
        home: the folder that holds this Outfield's packages (a checkout, or site-packages).
    """
    strangers = sorted(set(owners) - {DISTRIBUTION})
    if strangers:
        names = ", ".join(strangers)
        return Finding(
            package,
            f"the package `{package}` was also installed by {names}",
            f"Install Outfield in an environment of its own, or run: pip uninstall {' '.join(strangers)} && "
            f"pip install --force-reinstall --no-deps {DISTRIBUTION}",
        )
    if origin is None:
        return Finding(
            package,
            f"the package `{package}` cannot be found",
            f"Install Outfield again: pip install --force-reinstall --no-deps {DISTRIBUTION}",
        )
    if origin.parent.parent != home:
        return Finding(
            package,
            f"`import {package}` would load {origin}, which is not part of the Outfield in {home}",
            "Install Outfield in an environment of its own, and start it from there without PYTHONPATH.",
        )
    return None


def owners_in(folder: Path, package: str) -> list[str]:
    """The distributions installed in `folder` whose RECORD lists `package/__init__.py`, sorted by name."""
    line = f"\n{package}/__init__.py,".encode()
    return sorted(
        record.parent.name.partition("-")[0]
        for record in folder.glob("*.dist-info/RECORD")
        if line in b"\n" + record.read_bytes()
    )


def findings(packages: Iterable[str] = PACKAGES) -> list[Finding]:
    """Look at the running interpreter's packages; an empty list means that all of them are ours."""
    home = Path(__file__).resolve().parents[1]
    found = (judge(package, origin_of(package), owners_in(home, package), home) for package in packages)
    return [finding for finding in found if finding is not None]


def origin_of(package: str) -> Path | None:
    """The `__init__.py` that `import package` runs, without running it; None for a missing or namespace package."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).resolve() if spec is not None and spec.origin else None
