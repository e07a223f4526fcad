"""HTTPS for one scheduler: which certificate it shows, and its renewal while it runs."""

from __future__ import annotations

import ssl
from pathlib import Path

import structlog
import uvicorn

from scheduler.api.hosts import EVERYWHERE, allowed_hosts, own_names
from scheduler.api.tls import TlsProtocol
from scheduler.errors import Unavailable
from scheduler.security.authority import Authority, open_authority
from scheduler.service.farm import Farm
from scheduler.settings import Settings

TLS_FOLDER = "tls"
"""Below the data folder: the authority and the scheduler's certificate."""

log = structlog.get_logger()


def authority_of(farm: Farm) -> Authority | None:
    """The farm's authority, where it serves HTTPS.

    Raises:
        Unavailable: its files cannot be used.
    """
    server = farm.settings.server
    if not server.tls.enabled:
        return None
    return open_authority(server.data / TLS_FOLDER, farm.settings.farm.name, farm.clock.now())


def certificate_names(settings: Settings) -> list[str]:
    """Every name and address that this scheduler may be called by."""
    server = settings.server
    own = own_names() if server.host in EVERYWHERE else ()
    return sorted({*allowed_hosts(server.host, server.allowed_hosts, own), *server.tls.names} - EVERYWHERE)


def use_tls(config: uvicorn.Config, farm: Farm) -> None:
    """Tell uvicorn what to serve HTTPS with; nothing where the farm serves plain HTTP.

    Raises:
        Unavailable: a certificate of the studio's own cannot be read.
    """
    if farm.authority is None:
        return
    config.ssl_certfile, config.ssl_keyfile = _files(farm, farm.authority)
    config.ssl_ca_certs = str(farm.authority.ca_file)
    config.ssl_cert_reqs = ssl.CERT_OPTIONAL  # people's browsers have none; workers are asked for theirs by `api.edge`
    config.http = TlsProtocol


def renew(farm: Farm, config: uvicorn.Config) -> None:
    """Take up a renewed certificate; connections that stand keep the one they began with."""
    if farm.authority is None or config.ssl is None:
        return
    try:
        config.ssl.load_cert_chain(*_files(farm, farm.authority))
    except (OSError, ssl.SSLError, Unavailable) as error:
        log.error("tls.renewal_failed", reason=str(error))


def _files(farm: Farm, authority: Authority) -> tuple[Path, Path]:
    tls = farm.settings.server.tls
    if tls.certificate is None or tls.key is None:
        names = certificate_names(farm.settings)
        return authority.server_files(names, days=tls.certificate_days, now=farm.clock.now())
    for path in (tls.certificate, tls.key):
        if not path.is_file():
            raise Unavailable(
                f"There is no file {path}.", code="certificate_missing", hint="Correct [server.tls], or leave both out."
            )
    return tls.certificate, tls.key
