"""The farm's authority: what it vouches for, what it refuses, and what survives a restart."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from scheduler.errors import Refused, Unavailable
from scheduler.security.authority import Authority, open_authority, pin_of

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def authority(tmp_path) -> Authority:
    return open_authority(tmp_path / "tls", "studio", NOW)


def request_for(name: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode()


def test_the_authority_is_made_once_and_its_key_is_private(authority, tmp_path):
    again = open_authority(tmp_path / "tls", "studio", NOW + timedelta(days=100))

    assert again.pin == authority.pin
    assert (tmp_path / "tls" / "ca.key").stat().st_mode & 0o777 == 0o600
    assert authority.pin == pin_of(x509.load_pem_x509_certificate(authority.ca_file.read_bytes()))


def test_a_scheduler_is_believed_under_its_names_only(authority):
    certificate, key = authority.server_files(["farm.studio", "127.0.0.1"], days=90, now=datetime.now(UTC))
    names = x509.load_pem_x509_certificate(certificate.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )

    assert names.value.get_values_for_type(x509.DNSName) == ["farm.studio"]
    assert [str(ip) for ip in names.value.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    context = ssl.create_default_context(cafile=authority.ca_file)
    context.load_cert_chain(certificate, key)
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_certificate_is_renewed_when_two_thirds_are_over_or_names_change(authority):
    def serial(names: list[str], now: datetime) -> int:
        certificate, _key = authority.server_files(names, days=90, now=now)
        return x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number

    first = serial(["farm"], NOW)
    assert serial(["farm"], NOW + timedelta(days=59)) == first
    later = serial(["farm"], NOW + timedelta(days=61))
    assert later != first
    assert serial(["farm", "other"], NOW + timedelta(days=61)) != later


def test_a_worker_gets_a_certificate_with_its_own_id_whatever_it_asked_for(authority):
    key = ec.generate_private_key(ec.SECP256R1())
    text = authority.worker_certificate(request_for("admin", key), "w123", days=30, now=NOW)
    made = x509.load_pem_x509_certificate(text.encode())

    assert made.subject.rfc4514_string() == "CN=w123"
    assert made.public_key() == key.public_key()
    assert made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        x509.ExtendedKeyUsageOID.CLIENT_AUTH
    ]


@pytest.mark.parametrize("text", ["", "not a request", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END"])
def test_what_is_no_signing_request_is_refused(authority, text):
    with pytest.raises(Refused) as error:
        authority.worker_certificate(text, "w1", days=30, now=NOW)
    assert error.value.code == "bad_csr"


def test_only_keys_on_the_agreed_curve_are_certified(authority):
    text = request_for("w1", rsa.generate_private_key(65537, 2048))
    with pytest.raises(Refused, match="P-256"):
        authority.worker_certificate(text, "w1", days=30, now=NOW)


def test_a_key_of_another_authority_is_noticed(authority, tmp_path):
    other = open_authority(tmp_path / "other", "studio", NOW)
    (authority.folder / "ca.key").write_bytes((other.folder / "ca.key").read_bytes())

    with pytest.raises(Unavailable, match="not the key"):
        open_authority(authority.folder, "studio", NOW)


def test_half_an_authority_is_not_replaced_silently(authority):
    authority.ca_file.unlink()
    with pytest.raises(Unavailable, match="cannot be used"):
        open_authority(authority.folder, "studio", NOW)
