"""Sign and verify by scheme CS1, Ed25519 as in NaCl (docs/protocol-support.md, "Signing and sealing").

A sealed message is a signature of 64 bytes, then the signed bytes.
"""

import base64
import binascii
import re
from collections.abc import Iterable

from nacl import bindings
from nacl.exceptions import CryptoError

SIGNATURE_BYTES = bindings.crypto_sign_BYTES
SEED_BYTES = bindings.crypto_sign_SEEDBYTES
SECRET_KEY_BYTES = bindings.crypto_sign_SECRETKEYBYTES


class BadSignature(Exception):
    """None of the keys has signed these bytes."""


class InvalidPrivateKey(ValueError):
    """The text is not a private key. The message says why, and never contains the text."""


def seal(content: bytes, seed: bytes) -> bytes:
    """Return the signature of `content`, then `content`. `seed` is the 32-byte seed of the private key."""
    _, secret_key = bindings.crypto_sign_seed_keypair(seed)
    return bytes(bindings.crypto_sign(content, secret_key))


def unseal(sealed: bytes, keys: Iterable[bytes]) -> bytes:
    """Verify `sealed` by the 32-byte public `keys`, and return the signed content.

    Raises:
        BadSignature: No key verifies the signature, or `sealed` is shorter than a signature.
    """
    if len(sealed) < SIGNATURE_BYTES:
        raise BadSignature(f"the body is {len(sealed)} bytes long, shorter than a signature")
    for key in keys:
        try:
            return bytes(bindings.crypto_sign_open(sealed, key))
        except (CryptoError, ValueError):
            continue
    raise BadSignature(
        f"the signature does not verify with any of the sender's keys: {_likely_cause(sealed)}"
    )


def _likely_cause(sealed: bytes) -> str:
    """Return what its sender should look at first, in a body whose signature does not verify."""
    start = sealed[:200]
    if re.match(rb"\s*<[?A-Z][A-Za-z-]{2}", start):
        return f"it begins with XML, where the signature of {SIGNATURE_BYTES} bytes must stand"
    if re.fullmatch(rb"[A-Za-z0-9+/=\s]+", start):
        return "it is Base64 in itself, and the signature and the XML must be encoded only once"
    return "compare your public key with the registered one, and sign the very bytes that you send"


def public_key(seed: bytes) -> bytes:
    """Return the 32-byte public key of the private key with the seed `seed`."""
    key, _ = bindings.crypto_sign_seed_keypair(seed)
    return bytes(key)


def generate_key() -> tuple[str, str]:
    """Generate a key pair as texts.

    Returns:
        NaCl's 64-byte secret key in Base64, and `cs1.` followed by the public key in Base64.
    """
    key, secret_key = bindings.crypto_sign_keypair()
    return base64.b64encode(secret_key).decode(), f"cs1.{base64.b64encode(key).decode()}"


def load_private_key(text: str) -> bytes:
    """Return the 32-byte seed of a private key.

    Args:
        text: The seed, or NaCl's 64-byte secret key, in Base64.

    Raises:
        InvalidPrivateKey: The text is neither of them.
    """
    try:
        key = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidPrivateKey("a private key must be Base64") from None
    if len(key) not in (SEED_BYTES, SECRET_KEY_BYTES):
        raise InvalidPrivateKey(
            f"a private key must be Base64 of {SEED_BYTES} bytes (a seed) or {SECRET_KEY_BYTES} bytes "
            f"(NaCl's secret key), not of {len(key)}"
        )
    seed = key[:SEED_BYTES]
    if len(key) == SECRET_KEY_BYTES and key[SEED_BYTES:] != public_key(seed):
        raise InvalidPrivateKey("the private key's second half is not the public key of its first half")
    return seed
