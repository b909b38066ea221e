"""Signatures and keys (docs/protocol-support.md, "Signing and sealing")."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from uftp.protocol import sealing

CONTENT = b"<TestMessage/>"


def seed() -> bytes:
    return sealing.load_private_key(sealing.generate_key()[0])


def test_what_is_sealed_is_unsealed_with_any_of_a_senders_keys() -> None:
    old, new, other = seed(), seed(), seed()
    keys = [sealing.public_key(old), sealing.public_key(new)]
    for private in (old, new):
        sealed = sealing.seal(CONTENT, private)
        assert sealed[sealing.SIGNATURE_BYTES :] == CONTENT
        assert bytes(sealing.unseal(sealed, keys)) == CONTENT
    with pytest.raises(sealing.BadSignature, match="does not verify"):
        sealing.unseal(sealing.seal(CONTENT, other), keys)
    with pytest.raises(sealing.BadSignature, match="does not verify"):
        sealing.unseal(sealing.seal(CONTENT, old), [])


@pytest.mark.parametrize(
    ("sent", "cause"),
    [
        (
            b'<?xml version="1.0"?>' + 50 * b" " + CONTENT,
            "it begins with XML, where the signature of 64 bytes must stand",
        ),
        (CONTENT + 64 * b"\x9c", "it begins with XML, where the signature of 64 bytes must stand"),
        (
            base64.b64encode(SigningKey(bytes(32)).sign(CONTENT)),
            "it is Base64 in itself, and the signature and the XML must be encoded only once",
        ),
        (
            SigningKey(bytes(32)).sign(CONTENT),
            "compare your public key with the registered one, and sign the very bytes that you send",
        ),
    ],
)
def test_the_likely_cause_of_a_bad_signature_is_named(sent: bytes, cause: str) -> None:
    with pytest.raises(sealing.BadSignature) as bad:
        sealing.unseal(bytes(sent), [sealing.public_key(seed())])
    assert str(bad.value) == f"the signature does not verify with any of the sender's keys: {cause}"


@given(place=st.integers(0, sealing.SIGNATURE_BYTES + len(CONTENT) - 1), bit=st.integers(0, 7))
def test_a_bit_that_was_tampered_with_is_noticed(place: int, bit: int) -> None:
    private = SigningKey(bytes(32))
    sealed = bytearray(private.sign(CONTENT))
    sealed[place] ^= 1 << bit
    with pytest.raises(sealing.BadSignature):
        sealing.unseal(bytes(sealed), [bytes(private.verify_key)])


@pytest.mark.parametrize("length", [0, 1, 63])
def test_a_body_shorter_than_a_signature_is_a_bad_signature(length: int) -> None:
    with pytest.raises(sealing.BadSignature, match="shorter than a signature"):
        sealing.unseal(bytes(length), [sealing.public_key(seed())])


def test_a_weak_or_broken_key_verifies_nothing() -> None:
    identity = bytes([1]) + bytes(31)
    forged = identity + bytes(32) + CONTENT
    for key in (identity, bytes(32), b"", bytes(31)):
        with pytest.raises(sealing.BadSignature):
            sealing.unseal(forged, [key])


def test_a_private_key_is_read_as_secret_key_or_as_seed() -> None:
    private, public = sealing.generate_key()
    secret = base64.b64decode(private)
    assert len(secret) == 64
    assert sealing.load_private_key(private) == sealing.load_private_key(
        base64.b64encode(secret[:32]).decode()
    )
    assert public == "cs1." + base64.b64encode(sealing.public_key(secret[:32])).decode()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "not of 0"),
        ("c2hvcnQ=", "not of 5"),
        ("*" * 44, "must be Base64"),
        ("é" * 44, "must be Base64"),
        (base64.b64encode(bytes(64)).decode(), "second half"),
    ],
)
def test_what_is_no_private_key_is_refused_without_repeating_it(text: str, wrong: str) -> None:
    with pytest.raises(sealing.InvalidPrivateKey, match=wrong) as refusal:
        sealing.load_private_key(text)
    assert not text or text not in str(refusal.value)
