"""Builds the wheel and uses it from elsewhere: what an installation gets is what the repository has.

Checks that the wheel holds the three packages and nothing else, that no file of theirs is missing, and that the
installed copy, not the checkout, starts and owns its names. Needs the dependencies in the running environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"scheduler", "worker", "kernels"}
CARRIED = {"addons": "scheduler/addons/sources"}
"""Folders of the repository that lie elsewhere in the wheel."""
PROGRAM = """
import sys
import scheduler, worker, kernels
from scheduler.addons.packing import available, build
from scheduler.ownership import findings
from scheduler.cli.main import main
print(*(finding.hint for finding in findings()), sep="\\n", file=sys.stderr)
[build(addon.name) for addon in available()] or sys.exit("no add-on can be built")
print(*sorted({module.__path__[0] for module in (scheduler, worker, kernels)}), sep="\\n", flush=True)
sys.argv = ["outfield", "--help"]
main()
"""


def build(folder: Path) -> Path:
    """The wheel, built into `folder`."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    return next(folder.glob("outfield-*.whl"))


def tracked() -> set[str]:
    """The files of the wheel that the repository knows, under their names there."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "--", *sorted(PACKAGES), *CARRIED]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    tops = {name: name.partition("/") for name in names}
    return {f"{CARRIED[top]}/{rest}" if top in CARRIED else name for name, (top, _, rest) in tops.items()}


def complaints(wheel: Path, folder: Path) -> list[str]:
    """What is wrong with the wheel, in words."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        archive.extractall(folder)
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    found = [f"the wheel holds {top}/, which is none of our packages" for top in sorted(tops - PACKAGES)]
    found += [f"the wheel lacks {name}" for name in sorted(tracked() - names)]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    run = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if run.returncode != 0 or run.stderr.strip():
        found.append(f"the installed copy does not start cleanly:\n{run.stderr}")
    elif run.stdout.splitlines()[:3] != [str(folder / package) for package in sorted(PACKAGES)]:
        found.append(f"another copy was imported: {run.stdout.splitlines()[:3]}")
    return found


def main() -> int:
    """0 when the wheel is good."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        wheel = build(folder)
        found = complaints(wheel, folder / "site")
        print("\n".join(found) or f"{wheel.name} holds {', '.join(sorted(PACKAGES))}, and starts")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
