"""Encrypt the secrets of participants for the database, under the keys of CREDENTIALS_KEY."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class EncryptionFailed(Exception):
    """A secret cannot be encrypted or decrypted. The text says what the operator does, and never holds a secret."""


def encrypt(secret: str) -> str:
    """Encrypt `secret` under the newest key.

    Raises:
        EncryptionFailed: CREDENTIALS_KEY is not set.
    """
    return _keys().encrypt(secret.encode()).decode()


def decrypt(stored: str) -> str:
    """Decrypt a secret.

    Raises:
        EncryptionFailed: CREDENTIALS_KEY is not set, or none of its keys fits.
    """
    try:
        return _keys().decrypt(stored.encode()).decode()
    except InvalidToken:
        raise EncryptionFailed(_NOT_THE_KEY) from None


def reencrypt(stored: str) -> str:
    """Encrypt a stored secret anew, under the newest key.

    Raises:
        EncryptionFailed: CREDENTIALS_KEY is not set, or none of its keys fits.
    """
    try:
        return _keys().rotate(stored.encode()).decode()
    except InvalidToken:
        raise EncryptionFailed(_NOT_THE_KEY) from None


_NOT_THE_KEY = (
    "a stored secret is not encrypted under a key in CREDENTIALS_KEY; add the former key at its end"
)


def _keys() -> MultiFernet:
    if not settings.CREDENTIALS_KEY:
        raise EncryptionFailed(
            "CREDENTIALS_KEY is not set; `openssl rand -base64 32` prints a key for it: give it to web and worker, and"
            " start both again"
        )
    return MultiFernet([Fernet(key) for key in settings.CREDENTIALS_KEY])
