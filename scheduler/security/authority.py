"""The farm's own certificate authority: it vouches for the scheduler, and for each worker that has joined.

A studio's network has no public names, so no public authority vouches for its scheduler. The authority is made once
(`outfield init`), its key never leaves the data folder, and machines learn its certificate by a pin that they are given
with the join code. It owns certificates and their files; who is asked for one is the API's affair.

Keys are ECDSA on P-256, certificates X.509 version 3 as in RFC 5280.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from scheduler.errors import Refused, Unavailable
from scheduler.security.files import write_whole

AUTHORITY_DAYS = 3650
"""How long the authority itself is valid; every machine of the farm has to learn a new one."""

BACKDATED = timedelta(hours=1)
"""Certificates begin a little in the past, for machines whose clocks are behind."""

CA_FILE, CA_KEY_FILE = "ca.pem", "ca.key"
SERVER_FILE, SERVER_KEY_FILE = "server.pem", "server.key"
PIN_PREFIX = "sha256:"
NAME_MAX = 64
"""Characters of a common name (RFC 5280, ub-common-name)."""


class Authority:
    """The authority of one farm, with its files in one folder."""

    def __init__(self, folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.folder, self._certificate, self._key = folder, certificate, key

    @property
    def ca_file(self) -> Path:
        """The authority's certificate, which may be known to everyone."""
        return self.folder / CA_FILE

    @property
    def pin(self) -> str:
        """What identifies the authority: the hash of its certificate (DER), as `sha256:` and hex digits."""
        return pin_of(self._certificate)

    def server_files(self, names: Sequence[str], *, days: int, now: datetime) -> tuple[Path, Path]:
        """Certificate and key of the scheduler for these names and addresses; made anew when two thirds are over.

        Returns:
            Paths of the certificate with the authority's behind it, and of its key.
        """
        paths = self.folder / SERVER_FILE, self.folder / SERVER_KEY_FILE
        if not self._still_good(paths, names, now):
            key = ec.generate_private_key(ec.SECP256R1())
            subject = _name(names[0])
            alternatives = x509.SubjectAlternativeName([_general(name) for name in dict.fromkeys(names)])
            made = self._sign(subject, key.public_key(), ExtendedKeyUsageOID.SERVER_AUTH, days, now, alternatives)
            write_whole(paths[1], _private_pem(key), mode=0o600)
            write_whole(paths[0], _pem(made) + _pem(self._certificate), mode=0o644)
        return paths

    def worker_certificate(self, csr: str, worker: str, *, days: int, now: datetime) -> str:
        """A certificate that says `worker`, for the key behind a signing request, whatever else the request asks for.

        Raises:
            Refused: `bad_csr`: it is none, or its signature is wrong.
        """
        return _pem(self._sign(_name(worker), _key_of(csr), ExtendedKeyUsageOID.CLIENT_AUTH, days, now, None)).decode()

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        use: x509.ObjectIdentifier,
        days: int,
        now: datetime,
        alternatives: x509.SubjectAlternativeName | None,
    ) -> x509.Certificate:
        builder = _builder(subject, self._certificate.subject, key, now, days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _still_good(self, paths: tuple[Path, Path], names: Sequence[str], now: datetime) -> bool:
        try:
            certificate = x509.load_pem_x509_certificate(paths[0].read_bytes())
            found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            certificate.verify_directly_issued_by(self._certificate)
        except (OSError, ValueError, InvalidSignature, x509.ExtensionNotFound):
            return False
        begun, ended = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        fresh = begun <= now <= ended - (ended - begun) / 3
        return fresh and paths[1].exists() and set(found) == {_general(name) for name in names}


def open_authority(folder: Path, farm: str, now: datetime) -> Authority:
    """The authority in this folder; made if there is none.

    Raises:
        Unavailable: its files cannot be read or written, or only one of them is there.
    """
    certificate, key = folder / CA_FILE, folder / CA_KEY_FILE
    try:
        if not certificate.exists() and not key.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _make(certificate, key, farm, now)
        loaded = load_pem_private_key(key.read_bytes(), None)
        made = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise Unavailable(
            f"The farm's certificate authority in {folder} cannot be used: {error}.",
            code="authority_unusable",
            hint=f"Restore {CA_FILE} and {CA_KEY_FILE} from a backup; without them every worker has to join anew.",
        ) from error
    if not isinstance(loaded, ec.EllipticCurvePrivateKey) or loaded.public_key() != made.public_key():
        raise Unavailable(
            f"{CA_KEY_FILE} in {folder} is not the key of {CA_FILE}.",
            code="authority_unusable",
            hint="Restore both from one backup.",
        )
    return Authority(folder, made, loaded)


def pin_of(certificate: x509.Certificate) -> str:
    """What identifies a certificate: `sha256:` and the hash of its DER form."""
    return PIN_PREFIX + hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def check_csr(csr: str) -> None:
    """Refuse what is no signing request, before anything is changed.

    Raises:
        Refused: `bad_csr`.
    """
    _key_of(csr)


def _key_of(csr: str) -> ec.EllipticCurvePublicKey:
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        key = request.public_key()
        good = request.is_signature_valid
    except (ValueError, TypeError, InvalidSignature) as error:
        raise Refused(f"The certificate signing request cannot be read: {error}.", code="bad_csr") from error
    if not good or not isinstance(key, ec.EllipticCurvePublicKey):
        raise Refused(
            "The certificate signing request is not signed by its own key on P-256.",
            code="bad_csr",
            hint="Install the same release of Outfield on worker and scheduler.",
        )
    return key


def _make(certificate: Path, key: Path, farm: str, now: datetime) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"{farm} farm")
    builder = _builder(name, name, private.public_key(), now, AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
    usage = x509.KeyUsage(
        key_cert_sign=True, crl_sign=True, digital_signature=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = builder.add_extension(usage, critical=True).sign(private, hashes.SHA256())
    write_whole(key, _private_pem(private), mode=0o600)
    write_whole(certificate, _pem(made), mode=0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:NAME_MAX] or "outfield")])


def _general(name: str) -> x509.GeneralName:
    """An address as an address, everything else as a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
