"""Signing and verifying by cryptographic scheme CS1, Ed25519 as in NaCl (docs/protocol-support.md, "Sealing").

A sealed message is a signature of 64 bytes followed by the signed bytes themselves.
"""

import base64
import binascii
from collections.abc import Iterable

from nacl import bindings
from nacl.exceptions import CryptoError

SIGNATURE_BYTES = bindings.crypto_sign_BYTES
SEED_BYTES = bindings.crypto_sign_SEEDBYTES
SECRET_KEY_BYTES = bindings.crypto_sign_SECRETKEYBYTES


class BadSignature(Exception):
    """No key that was tried has signed these bytes."""


class InvalidPrivateKey(ValueError):
    """A text is no private key. Says what is wrong with it and never repeats it."""


def seal(content: bytes, seed: bytes) -> bytes:
    """`content` with its signature before it, by the private key whose 32-byte seed is `seed`."""
    _, secret_key = bindings.crypto_sign_seed_keypair(seed)
    return bytes(bindings.crypto_sign(content, secret_key))


def unseal(sealed: bytes, keys: Iterable[bytes]) -> bytes:
    """The content that `sealed` signs, verified by the first fitting of the 32-byte public `keys`.

    Raises BadSignature where none fits, or where `sealed` is shorter than a signature.
    """
    if len(sealed) < SIGNATURE_BYTES:
        raise BadSignature(f"the body is {len(sealed)} bytes long, shorter than a signature")
    for key in keys:
        try:
            return bytes(bindings.crypto_sign_open(sealed, key))
        except (CryptoError, ValueError):
            continue
    raise BadSignature("the signature does not verify with any of the sender's keys")


def public_key(seed: bytes) -> bytes:
    """The 32-byte public key of the private key whose seed is `seed`."""
    key, _ = bindings.crypto_sign_seed_keypair(seed)
    return bytes(key)


def generate_key() -> tuple[str, str]:
    """A key pair as texts: Base64 of NaCl's 64-byte secret key, and `cs1.` with Base64 of the public key."""
    key, secret_key = bindings.crypto_sign_keypair()
    return base64.b64encode(secret_key).decode(), f"cs1.{base64.b64encode(key).decode()}"


def load_private_key(text: str) -> bytes:
    """The 32-byte seed of a private key given as Base64 of that seed or of NaCl's 64-byte secret key.

    Raises InvalidPrivateKey.
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
