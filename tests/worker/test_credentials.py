"""A worker's key and certificate: made once, kept private, renewed in time; the authority believed only by its pin."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509

from scheduler.security.authority import Authority, open_authority
from worker.credentials import (
    Renewal,
    WrongPin,
    fetch_authority,
    save_certificate,
    signing_request,
    tls_context,
    wants_renewal,
)
from worker.settings import WorkerSettings, load_worker_settings

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def authority(tmp_path) -> Authority:
    return open_authority(tmp_path / "tls", "studio", NOW)


@pytest.fixture
def site(authority: Authority) -> Iterator[str]:
    """An HTTPS server that hands out the authority's certificate and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(authority.ca_file.read_bytes())

        def log_message(self, *_words: object) -> None:
            return

    import ssl

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server_files(["127.0.0.1"], days=1, now=datetime.now(UTC)))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def settings(server: str, data: Path, pin: str = "") -> WorkerSettings:
    return load_worker_settings({"server": server, "data": data, "ca_pin": pin}, {})


def test_the_authority_is_believed_by_its_pin_and_fetched_once(site, authority, tmp_path):
    known = settings(site, tmp_path / "w", authority.pin)

    assert fetch_authority(known) == tmp_path / "w" / "ca.pem"
    assert fetch_authority(known) is None
    assert (tmp_path / "w" / "ca.pem").read_bytes() == authority.ca_file.read_bytes()


def test_another_authority_is_not_believed(site, tmp_path):
    with pytest.raises(WrongPin, match="take the new pin"):
        fetch_authority(settings(site, tmp_path / "w", "sha256:" + "1" * 64))
    assert not (tmp_path / "w").exists()


def test_without_a_pin_nothing_is_fetched(tmp_path):
    assert fetch_authority(settings("https://127.0.0.1:1", tmp_path)) is None
    assert tls_context(settings("http://127.0.0.1:1", tmp_path)) is False


def test_the_key_is_made_once_and_private(tmp_path):
    first, again = (x509.load_pem_x509_csr(signing_request(tmp_path, "w").encode()) for _ in range(2))

    assert first.public_key() == again.public_key()
    assert (tmp_path / "worker.key").stat().st_mode & 0o777 == 0o600


class Certifier:
    """Hands out certificates of 30 days from `NOW`."""

    def __init__(self, authority: Authority) -> None:
        self.authority, self.asked, self.shown = authority, 0, 0

    def certificate(self, worker: str, csr: str) -> str:
        self.asked += 1
        return self.authority.worker_certificate(csr, worker, days=30, now=NOW + timedelta(days=20))

    def show(self) -> None:
        self.shown += 1


def test_a_certificate_is_renewed_when_two_thirds_are_over(authority, tmp_path):
    clock = [NOW]
    certifier = Certifier(authority)
    data = tmp_path / "w"
    csr = signing_request(data, "w")
    save_certificate(data, authority.worker_certificate(csr, "w1", days=30, now=NOW))
    renewal = Renewal(settings("https://127.0.0.1:1", data), certifier, "w1", lambda: clock[0])

    assert not renewal.look()
    clock[0] = NOW + timedelta(days=21)
    assert wants_renewal(data, clock[0]) and renewal.look()
    assert not renewal.look()
    assert (certifier.asked, certifier.shown) == (1, 1)


def test_a_worker_without_a_certificate_asks_for_none(tmp_path):
    assert not wants_renewal(tmp_path, NOW)
