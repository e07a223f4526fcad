"""What a worker proves itself with over HTTPS, and whom it believes: its own key and certificate, the farm's authority.

The key is made here and never leaves the machine. The authority's certificate is fetched once, over a connection that
proves nothing, and believed only if its hash is the pin that came with the join code (as SSH does with host keys).
"""

from __future__ import annotations

import hashlib
import os
import ssl
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

import httpx

from worker.settings import WorkerSettings
from worker.telemetry import logger

CA_FILE, KEY_FILE, CERTIFICATE_FILE = "ca.pem", "worker.key", "worker.pem"
LOOK_S = 3600.0
"""How often it is looked whether the certificate has to be renewed."""

CA_MAX_BYTES = 64 * 1024

_log = logger("credentials")


class WrongPin(Exception):
    """The scheduler's authority is not the one whose pin was given; the message says what to do."""


def tls_context(settings: WorkerSettings) -> ssl.SSLContext | bool:
    """One context for all connections (loading certificates takes 20 ms); none is loaded for plain HTTP."""
    if not settings.server.startswith("https://"):
        return False
    context = ssl.create_default_context()
    for file in (settings.ca_file, settings.data / CA_FILE):
        if file is not None and file.exists():
            context.load_verify_locations(file)
    show_certificate(context, settings.data)
    return context


def show_certificate(context: ssl.SSLContext, data: Path) -> None:
    """Show the worker's certificate, if it has one, on connections that are made from now on."""
    if (data / CERTIFICATE_FILE).exists() and (data / KEY_FILE).exists():
        context.load_cert_chain(data / CERTIFICATE_FILE, data / KEY_FILE)


def fetch_authority(settings: WorkerSettings) -> Path | None:
    """The authority's certificate, fetched and held against the pin; None where there is no pin, or it is here already.

    Raises:
        WrongPin: it is another one. httpx.HTTPError: the scheduler does not answer.
    """
    target = settings.data / CA_FILE
    if not settings.ca_pin or not settings.server.startswith("https://"):
        return None
    if target.exists() and _pin(target.read_text()) == settings.ca_pin:
        return None
    # Nothing secret is sent, and nothing that is received is believed before its hash was checked.
    answer = httpx.get(f"{settings.server}/ca.pem", verify=False, timeout=settings.read_timeout_s)  # noqa: S501
    text = answer.text[:CA_MAX_BYTES] if answer.is_success else ""
    if _pin(text) != settings.ca_pin:
        raise WrongPin(
            f"The authority of {settings.server} is not the one with the pin {settings.ca_pin}. Somebody may stand in "
            "between; if the farm was set up anew, take the new pin from `outfield init`."
        )
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(target, text.encode())
    return target


def signing_request(data: Path, name: str) -> str:
    """A signing request (PEM) for this worker's key, which is made at the first call."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    path = data / KEY_FILE
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write_private(path, made.private_bytes(*form))
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def save_certificate(data: Path, text: str) -> None:
    """Keep the certificate that the scheduler has given."""
    write_private(data / CERTIFICATE_FILE, text.encode())


def wants_renewal(data: Path, now: datetime) -> bool:
    """Whether two thirds of the certificate's life are over; no: there is none."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate((data / CERTIFICATE_FILE).read_bytes())
    except (OSError, ValueError):
        return False
    return now > found.not_valid_after_utc - (found.not_valid_after_utc - found.not_valid_before_utc) / 3


class Certifier(Protocol):
    """Who gives certificates: the scheduler's client."""

    def certificate(self, worker: str, csr: str) -> str:
        """A new certificate (PEM) for a signing request."""
        ...

    def show(self) -> None:
        """Show it from now on."""
        ...


class Renewal:
    """Looks after the certificate of one worker, in a thread that ends with the process."""

    def __init__(
        self, settings: WorkerSettings, certifier: Certifier, worker: str, now: Callable[[], datetime]
    ) -> None:
        self._settings, self._certifier, self._worker, self._now = settings, certifier, worker, now

    def begin(self) -> None:
        """Look now and then, if the farm serves HTTPS."""
        if self._settings.server.startswith("https://"):
            threading.Thread(target=self._serve, name="certificate", daemon=True).start()

    def look(self) -> bool:
        """Renew if it is time; whether it was done."""
        data = self._settings.data
        if not wants_renewal(data, self._now()):
            return False
        save_certificate(data, self._certifier.certificate(self._worker, signing_request(data, self._settings.name)))
        self._certifier.show()
        _log.info("certificate_renewed", worker=self._worker)
        return True

    def _serve(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  the old one is good for days; the next look tries again
                _log.warning("certificate_not_renewed", reason=str(error))
            pause.wait(LOOK_S)


def _pin(text: str) -> str:
    try:
        return "sha256:" + hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest()
    except ValueError:
        return ""


def write_private(path: Path, data: bytes) -> None:
    """Whole or not at all, readable by its user alone."""
    part = path.with_name(f"{path.name}.new")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
