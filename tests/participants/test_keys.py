"""Which public keys are taken, and what is said about the others."""

import base64

import pytest
from nacl.signing import SigningKey

from participants.keys import InvalidKey, format_public_key, parse_public_key
from tests.participants.conftest import key_text, raw_key

KEY = raw_key(1)
ENCRYPTION_KEY = raw_key(2)


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("cs1." + b64(KEY), id="signature key"),
        pytest.param("cs1." + b64(KEY + ENCRYPTION_KEY), id="signature and encryption key"),
        pytest.param(b64(KEY), id="bare Base64"),
        pytest.param(f"  cs1.{b64(KEY)}\n", id="white space around"),
    ],
)
def test_the_signature_key_is_taken_from(text: str) -> None:
    assert parse_public_key(text) == KEY


def test_a_key_is_formatted_as_it_is_published() -> None:
    assert format_public_key(KEY) == "cs1." + b64(KEY)
    assert parse_public_key(format_public_key(KEY)) == KEY


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "Base64", id="empty"),
        pytest.param("cs1.", "Base64", id="prefix alone"),
        pytest.param("cs2." + b64(KEY), "Base64", id="another scheme"),
        pytest.param("cs1.???", "Base64", id="not Base64"),
        pytest.param("cs1.kl\u00e9", "Base64", id="not ASCII"),
        pytest.param("cs1." + b64(KEY)[:20] + " " + b64(KEY)[20:], "Base64", id="a space inside"),
        pytest.param("cs1." + b64(KEY)[:-2] + "B=", "Base64", id="bits beyond the end"),
        pytest.param("cs1." + b64(KEY).rstrip("="), "Base64", id="no padding"),
        pytest.param("cs1." + b64(KEY[:31]), "but this is 31", id="31 bytes"),
        pytest.param("cs1." + b64(KEY + b"x"), "but this is 33", id="33 bytes"),
        pytest.param(b64(KEY + ENCRYPTION_KEY), "needs cs1.", id="bare Base64 of 64 bytes"),
        pytest.param("cs1." + b64(b"\x02" + bytes(31)), "no point", id="not on the curve"),
        pytest.param("cs1." + b64(b"\xff" * 32), "no point", id="not canonical"),
    ],
)
def test_refused_for_its_form(text: str, message: str) -> None:
    with pytest.raises(InvalidKey, match=message):
        parse_public_key(text)


@pytest.mark.parametrize("prefix", ["", "cs1."])
def test_a_private_key_is_refused_and_not_repeated(prefix: str) -> None:
    signing = SigningKey(bytes(range(32)))
    text = prefix + b64(bytes(signing) + bytes(signing.verify_key))

    with pytest.raises(InvalidKey, match="private key") as refusal:
        parse_public_key(text)

    assert b64(bytes(signing))[:20] not in str(refusal.value)


SMALL_ORDER = {
    "identity": "01" + "00" * 31,
    "identity, sign bit set": "01" + "00" * 30 + "80",
    "order 2": "ec" + "ff" * 30 + "7f",
    "order 4": "00" * 32,
    "order 4, sign bit set": "00" * 31 + "80",
    "order 8": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "order 8, sign bit set": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "order 8, the other": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order 8, the other, sign bit set": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "order 4, written as p": "ed" + "ff" * 30 + "7f",
    "identity, written as p + 1": "ee" + "ff" * 30 + "7f",
    "order 2, sign bit set": "ec" + "ff" * 31,
}


@pytest.mark.parametrize("point", SMALL_ORDER.values(), ids=SMALL_ORDER)
def test_a_weak_key_is_refused(point: str) -> None:
    with pytest.raises(InvalidKey, match="weak"):
        parse_public_key("cs1." + b64(bytes.fromhex(point)))


def test_a_point_outside_the_main_group_is_refused() -> None:
    """A sound key to which a point of order 2 was added: (x, y) becomes (-x, -y)."""
    p = 2**255 - 19
    number = int.from_bytes(KEY, "little")
    sign, y = number >> 255, number % 2**255
    mixed = (p - y) | ((1 - sign) << 255)

    with pytest.raises(InvalidKey, match="no point"):
        parse_public_key("cs1." + b64(mixed.to_bytes(32, "little")))


def test_keys_of_the_tests_are_sound() -> None:
    assert all(parse_public_key(key_text(number)) == raw_key(number) for number in range(1, 50))
