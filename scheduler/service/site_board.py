"""What memory knows of the sites, for whoever plans or explains: which are there, and which took which job.

Written by the liaisons, each for its own site; read in the event loop's thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scheduler.routing.departing import SiteOffer
from scheduler.settings import SitePool


@dataclass(frozen=True, slots=True)
class Silence:
    """A site cannot be reached, or does not let this farm in. Times are seconds since the epoch."""

    since_s: float
    reason: str
    tries: int = 1
    again_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A site did not take a job; it is offered again at `until_s`."""

    until_s: float
    reason: str


@dataclass(slots=True)
class SiteNote:
    """One site as it stands: `open` counts the handovers to it, `shut` says that it has been silent for too long.

    `troubles` are jobs whose files cannot be carried, `faults` those that cannot be talked about, with the reason.
    """

    settings: SitePool
    open: int = 0
    silence: Silence | None = None
    shut: bool = False
    troubles: dict[int, str] = field(default_factory=dict[int, str])
    faults: dict[int, str] = field(default_factory=dict[int, str])

    @property
    def offer(self) -> SiteOffer:
        """The site as routing's last word sees it."""
        most = self.settings.jobs_max
        return SiteOffer(most, full=self.open >= most, shut=self.shut, overflow_s=self.settings.overflow_s)


@dataclass
class SiteBoard:
    """The sites of a farm, by pool; empty where the settings name none."""

    sites: dict[str, SiteNote] = field(default_factory=dict[str, SiteNote])
    unbegun: frozenset[int] = frozenset()
    """Jobs that came back partly made, and that no worker of this farm has begun: what is missing may leave again."""
    _refused: dict[int, dict[str, Refusal]] = field(default_factory=dict[int, dict[str, Refusal]])

    def offers(self) -> dict[str, SiteOffer]:
        """The sites as routing's last word sees them."""
        return {name: note.offer for name, note in self.sites.items()}

    def refuse(self, job: int, site: str, refusal: Refusal) -> None:
        """The site did not take the job."""
        self._refused.setdefault(job, {})[site] = refusal

    def refused(self, now_s: float) -> Mapping[int, Mapping[str, str]]:
        """By job the sites that did not take it, with the reason, as long as that counts."""
        for job in [job for job, sites in self._refused.items() if all(r.until_s <= now_s for r in sites.values())]:
            del self._refused[job]
        return {
            job: {site: refusal.reason for site, refusal in sites.items() if refusal.until_s > now_s}
            for job, sites in self._refused.items()
        }
