"""Read the settings that the environment gives, or say which one is wrong and what to set."""

import base64
import binascii
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import environ
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

DOMAIN = r"([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z]{2,}"


def read_file(path: Path) -> None:
    """Add the `NAME=value` lines of `path`, where it exists, to the environment; what is set there already wins."""
    if path.is_file():
        environ.Env.read_env(path)


def setting(name: str, default: T, read: Callable[[str], T]) -> T:
    """The setting `name` as `read` understands its text, or `default` where it is unset or empty.

    Raises ImproperlyConfigured, naming the setting and what to set, where `read` raises ValueError. The text itself
    is not shown: it may be a secret.
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        return read(text)
    except ValueError as wrong:
        raise ImproperlyConfigured(f"{name}: {wrong}") from None


def boolean(text: str) -> bool:
    """`true`, `yes`, `on`, `1` or `false`, `no`, `off`, `0`, in any case."""
    lowered = text.lower()
    if lowered in {"true", "yes", "on", "1"}:
        return True
    if lowered in {"false", "no", "off", "0"}:
        return False
    raise ValueError(f"{text!r} is neither true nor false; set it to true or false")


def whole_number(at_least: int, at_most: int) -> Callable[[str], int]:
    """A reader of whole numbers from `at_least` to `at_most`, both inclusive."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not at_least <= int(text) <= at_most:
            raise ValueError(f"{text!r} is not allowed; set a whole number from {at_least} to {at_most}")
        return int(text)

    return read


def words(text: str) -> list[str]:
    """Comma-separated words."""
    return [word.strip() for word in text.split(",") if word.strip()]


def moment(text: str) -> datetime:
    """An ISO 8601 moment with its UTC offset, as an aware datetime in UTC."""
    example = "set an ISO moment with its offset, such as 2026-03-01T12:00:00+00:00"
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a moment; {example}") from None
    if read.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset; {example}")
    return read.astimezone(UTC)


def signing_seed(text: str) -> bytes:
    """The 32-byte Ed25519 seed in the Base64 of a NaCl secret key (64 bytes) or of the seed itself."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) not in {32, 64}:
        raise ValueError(
            "not the Base64 of a 64-byte NaCl secret key or of its 32-byte seed; "
            "set what `manage.py generate_key` prints"
        )
    return raw[:32]
