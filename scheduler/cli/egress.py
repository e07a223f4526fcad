"""`doctor --egress`: every address beyond the studio that this farm calls, for whoever writes the firewall's rules.

The list is made from the settings alone, so that it can be printed, and signed off, before anything is started. What
is not on it is never called by the scheduler; workers call the scheduler, and the storage if it hands them signed URLs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from scheduler.settings import AwsPool, GcePool, Settings, SitePool

PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, order=True)
class Egress:
    """One address that is called: by whom (`scheduler` or `workers`) and what for."""

    host: str
    port: int
    who: str
    why: str
    setting: str


def allowed_egress(settings: Settings) -> list[Egress]:
    """What a farm with these settings calls outside of itself."""
    found = {*_tracker(settings), *_pools(settings), *_storage(settings)}
    return sorted(found)


def _tracker(settings: Settings) -> Iterator[Egress]:
    if settings.shotgrid.url is not None:
        yield _egress(settings.shotgrid.url, "scheduler", "priorities from ShotGrid, Versions back", "shotgrid.url")


def _pools(settings: Settings) -> Iterator[Egress]:
    for name, pool in settings.pools.items():
        key = f"pools.{name}"
        if isinstance(pool, AwsPool):
            url = pool.endpoint_url or f"https://ec2.{pool.region}.amazonaws.com"
            yield _egress(url, "scheduler", "EC2 instances of the pool", f"{key}.region")
        elif isinstance(pool, GcePool):
            url = pool.endpoint or "https://compute.googleapis.com"
            yield _egress(url, "scheduler", "instances of the pool", f"{key}.project")
            if pool.endpoint is None:
                yield _egress("https://oauth2.googleapis.com", "scheduler", "a token for the calls above", key)
        elif isinstance(pool, SitePool):
            yield _egress(pool.url, "scheduler", "jobs to the other site, frames back", f"{key}.url")


def _storage(settings: Settings) -> Iterator[Egress]:
    parts = urlsplit(settings.server.storage or "")
    asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
    if parts.scheme == "s3":
        host = "" if "." in parts.netloc else f"{parts.netloc}."  # as `objects.s3` addresses a bucket
        url = asked.get("endpoint_url") or f"https://{host}s3.{asked.get('region', 'us-east-1')}.amazonaws.com"
    elif parts.scheme == "gs":
        url = asked.get("endpoint") or "https://storage.googleapis.com"
        if url.startswith("https://"):
            yield _egress("https://oauth2.googleapis.com", "scheduler", "a token for the storage", "server.storage")
    else:
        return
    for who in ("scheduler", "workers") if settings.storage.direct else ("scheduler",):
        yield _egress(url, who, "files and frames", "server.storage")


def _egress(url: str, who: str, why: str, setting: str) -> Egress:
    parts = urlsplit(url)
    return Egress(parts.hostname or url, parts.port or PORTS.get(parts.scheme, 443), who, why, setting)
