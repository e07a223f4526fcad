"""The renderer `null`: makes nothing, and takes `sleep_s` for it. For load tests and drills."""

from __future__ import annotations

from typing import Any

from scheduler.protocol import PROTOCOL_VERSION
from worker.runners.base import Produced, RenderCancelled, Reporter, Work


class NullRunner:
    """Runs in the slot's own thread and holds nothing."""

    name = "null"

    def versions(self) -> dict[str, Any]:
        """Always there; its version is the protocol's."""
        return {"versions": [str(PROTOCOL_VERSION)]}

    def run(self, work: Work, reporter: Reporter) -> list[Produced]:
        """Wait `settings.sleep_s` seconds, or until cancelled.

        Raises:
            RenderCancelled: it was asked to stop.
        """
        sleep_s = float(work.lease.settings.get("sleep_s", 0.0))
        if reporter.cancelled.wait(sleep_s) if sleep_s > 0 else reporter.cancelled.is_set():
            raise RenderCancelled
        return []

    def warm(self) -> list[str]:
        """Nothing is ever open."""
        return []

    def get_ready(self) -> None:
        """Nothing to prepare."""

    def forget(self, job: str) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing was started."""
