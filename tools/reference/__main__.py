"""Write the generated pages, or with `--check` say which of them no longer follow from the code.

python -m tools.reference [--check] [PAGE …]
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"

PAGES = {
    "states": DOCS / "states.md",
    "settings": DOCS / "reference" / "settings.md",
    "protocol": DOCS / "reference" / "protocol.md",
    "errors": DOCS / "reference" / "errors.md",
    "rest": DOCS / "reference" / "rest.md",
    "cli": DOCS / "reference" / "cli.md",
}


def main() -> int:
    """0 when every page is (now) what the code says."""
    parser = argparse.ArgumentParser(prog="python -m tools.reference", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a page is stale")
    parser.add_argument("pages", nargs="*", choices=[[], *PAGES], help="only these pages")
    arguments = parser.parse_args()
    stale = 0
    for name in arguments.pages or PAGES:
        text: str = importlib.import_module(f"tools.reference.{name}").render()
        path = PAGES[name]
        if path.exists() and path.read_text() == text:
            continue
        stale += 1
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        print(f"{'stale, run `make docs`' if arguments.check else 'written'}: {path.relative_to(DOCS.parent)}")
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
