"""Client certificates: check them, describe them, and load them for TLS."""

import secrets
import ssl
import tempfile
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

PRIVATE_KEY = "PRIVATE KEY-----"
"""What every private key in PEM has in its first line."""

MAX_PEM = 50_000
"""Maximum number of characters of a certificate with its chain, or of a key."""


class InvalidCertificate(ValueError):
    """A client certificate or its key cannot be used. The text says why, and never holds a part of the key."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a certificate says: its subject, its last moment, and its SHA-256 fingerprint."""

    subject: str
    until: datetime
    fingerprint: str


def describe(chain: str) -> Description:
    """Describe the first certificate of a PEM text.

    Raises:
        InvalidCertificate: It is no certificate.
    """
    certificate = _certificates(chain)[0]
    return Description(
        certificate.subject.rfc4514_string(),
        certificate.not_valid_after_utc,
        certificate.fingerprint(hashes.SHA256()).hex(),
    )


def check(chain: str, key: str) -> None:
    """Check that `key` is the unencrypted PEM key of the first certificate in `chain`.

    Raises:
        InvalidCertificate: It is not.
    """
    certificate = _certificates(chain)[0]
    try:
        private = load_pem_private_key(key.encode(), password=None)
    except TypeError:
        raise InvalidCertificate("the key has a password; give it without one") from None
    except Exception:
        raise InvalidCertificate("the key is not a private key in PEM") from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise InvalidCertificate("the key does not belong to the certificate; the certificate comes first")


def load_into(context: ssl.SSLContext, chain: str, key: str) -> None:
    """Let `context` offer the certificate.

    OpenSSL reads it from a file. So it is written to a temporary one, with the key encrypted under a password that is
    used once.

    Raises:
        ssl.SSLError: OpenSSL does not take it.
    """
    password = secrets.token_bytes(32).hex().encode()
    private = load_pem_private_key(key.encode(), password=None)
    encrypted = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    with tempfile.NamedTemporaryFile() as file:
        file.write(chain.encode() + b"\n" + encrypted)
        file.flush()
        context.load_cert_chain(file.name, password=password)


def _certificates(chain: str) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(chain.encode())
    except ValueError:
        found = []
    if not found:
        raise InvalidCertificate("this is not a certificate in PEM (-----BEGIN CERTIFICATE-----)")
    return found
