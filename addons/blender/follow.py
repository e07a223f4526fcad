# SPDX-License-Identifier: GPL-3.0-or-later
"""The one timer."""


def start() -> None:
    """Nothing yet."""


def stop() -> None:
    """Nothing yet."""
