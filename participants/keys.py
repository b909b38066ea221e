"""Read and write public keys as participants publish them, and refuse weak ones."""

import base64
import binascii

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_seed_keypair

PREFIX = "cs1."

_P = 2**255 - 19
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
SMALL_ORDER = frozenset({0, 1, _P - 1, _P, _P + 1, _ORDER_8, _P - _ORDER_8})
"""The y coordinates of all points of order 1, 2, 4 and 8, in every encoding. Anybody can sign with these."""


class InvalidKey(ValueError):
    """A public key is not usable. The text is the reason, and never contains the key: it may be private."""


def parse_public_key(text: str) -> bytes:
    """Return the 32-byte Ed25519 signature key in `text` (docs/protocol-support.md, Signing).

    Args:
        text: `cs1.` and the Base64 of 32 bytes (signature key) or 64 bytes (signature key, then encryption key); or
            Base64 of 32 bytes alone.

    Raises:
        InvalidKey: The form or the length is wrong, the key is a private one, or it is a weak key.
    """
    text = text.strip()
    raw = _decode(text.removeprefix(PREFIX))
    if len(raw) not in {32, 64}:
        raise InvalidKey(
            f"a public key is 32 bytes, or 64 with its encryption key, but this is {len(raw)}; "
            f"give the whole text that the participant publishes, which starts with {PREFIX}"
        )
    key = raw[:32]
    if len(raw) == 64 and public_key_of_seed(key) == raw[32:]:
        raise InvalidKey("this is a private key: have its owner replace it, and give the public key")
    if len(raw) == 64 and not text.startswith(PREFIX):
        raise InvalidKey(
            f"a key of 64 bytes needs {PREFIX} in front; give the text that the participant publishes"
        )
    if int.from_bytes(key, "little") % 2**255 in SMALL_ORDER:
        raise InvalidKey(
            "this key is weak (its point has small order): anybody could sign in the participant's name; "
            "have the participant make another key pair"
        )
    if not crypto_core_ed25519_is_valid_point(key):
        raise InvalidKey(
            "these 32 bytes are no Ed25519 signature key (no point of the curve's main group); "
            "ask the participant for its signature key"
        )
    return key


def format_public_key(key: bytes) -> str:
    """Return the published text of the 32-byte signature key `key`: `cs1.` and Base64."""
    return PREFIX + base64.b64encode(key).decode()


def public_key_of_seed(seed: bytes) -> bytes:
    """Return the 32-byte public key of the 32-byte private seed `seed`."""
    return crypto_sign_seed_keypair(seed)[0]


def _decode(text: str) -> bytes:
    """Return the bytes in `text`, which must be canonical Base64."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw or base64.b64encode(raw) != text.encode():
        raise InvalidKey(
            f"a public key is {PREFIX} and Base64, such as cs1.11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
        )
    return raw
