"""Read settings from the environment. An error names the setting and says what to set."""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import environ
from cryptography.fernet import Fernet
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection

from common.identifiers import is_domain
from cro_project.embedded_postgres import places
from uftp.protocol import sealing

T = TypeVar("T")

EMBEDDED = "cro_project.embedded_postgres"
SECONDS_TO_CONNECT = 10
MIN_SECRET_LENGTH = 32
_LINE = r"(export )?([A-Za-z_0-9]+)="

_in_file: set[str] = set()
"""The names in the `.env` that was read."""

_read: set[str] = set()
"""The names of all settings."""


def read_file(path: Path) -> None:
    """Add the `NAME=value` lines of the file `path` to the environment. A variable that is set already stays.

    Do nothing if there is no such file. Empty lines and comments (`#`) are allowed.

    Raises:
        ImproperlyConfigured: The file cannot be read, or a line has another form. The text has the number of the
            line, and not the line itself, which may be a secret.
    """
    if not path.is_file():
        return
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as unreadable:
        reason = getattr(unreadable, "strerror", None) or "not UTF-8 text"
        raise ImproperlyConfigured(f"{path}: cannot be read ({reason})") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not (named := re.match(_LINE, line)):
            raise ImproperlyConfigured(
                f"{path}, line {number}: is not of the form NAME=value; mend it, or put a # before it"
            )
        _in_file.add(named[2])
    environ.Env.read_env(path)


def setting(name: str, default: T, read: Callable[[str], T]) -> T:
    """Return the setting `name`, converted by `read`; `default` if it is unset or empty.

    Raises:
        ImproperlyConfigured: `read` raised ValueError. The text names the setting and says what to set. It does not
            contain the value, which may be a secret.
    """
    _read.add(name)
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        return read(text)
    except ValueError as wrong:
        raise ImproperlyConfigured(f"{name}: {wrong}") from None


def unknown_in_file(**_: Any) -> list[checks.Warning]:
    """Warn of names in `.env` that are no settings: of a mistyped one the default would count, without a word.

    A system check. Variables of PostgreSQL's and OpenSSL's libraries are allowed.
    """
    unknown = sorted(name for name in _in_file - _read if not name.startswith(("PG", "SSL_CERT_")))
    return [
        checks.Warning(
            f"{name} in .env is not a setting and has no effect.",
            hint="See docs/settings.md for the names.",
            id="cro_project.W001",
        )
        for name in unknown
    ]


def secret(text: str) -> str:
    """Check that a secret is long enough, and return it."""
    if len(text) < MIN_SECRET_LENGTH:
        raise ValueError(
            f"has {len(text)} characters; set it to a random text of {MIN_SECRET_LENGTH} or more, such as "
            "`openssl rand -base64 48` prints"
        )
    return text


def boolean(text: str) -> bool:
    """Read `true`, `yes`, `on`, `1` or `false`, `no`, `off`, `0`, in any case."""
    lowered = text.lower()
    if lowered in {"true", "yes", "on", "1"}:
        return True
    if lowered in {"false", "no", "off", "0"}:
        return False
    raise ValueError(f"{text!r} is neither true nor false; set it to true or false")


def whole_number(at_least: int, at_most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `at_least` to `at_most`, both inclusive."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not at_least <= int(text) <= at_most:
            raise ValueError(f"{text!r} is not allowed; set a whole number from {at_least} to {at_most}")
        return int(text)

    return read


def words(text: str) -> list[str]:
    """Read comma-separated words."""
    return [word.strip() for word in text.split(",") if word.strip()]


def domain(text: str) -> str:
    """Read a domain in UFTP's form: lower case, at least two labels."""
    if not is_domain(text):
        raise ValueError(f"{text!r} is not a domain in lower case; set one such as cro.example")
    return text


def site(text: str) -> str:
    """Read the URL under which browsers reach this CRO: scheme, host and port alone."""
    found = urlsplit(text)
    if found.scheme not in ("http", "https") or not found.hostname or found.path.strip("/") or found.query:
        raise ValueError(f"{text!r} is not such a URL; set one such as https://cro.example")
    return text.rstrip("/")


def email(text: str) -> str:
    """Read an e-mail address."""
    if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", text):
        raise ValueError(f"{text!r} is not an e-mail address; set one such as cro@cro.example")
    return text


def addresses(text: str) -> list[str]:
    """Read comma-separated IP addresses and networks."""
    for address in (listed := words(text)):
        try:
            ip_network(address)
        except ValueError:
            raise ValueError(
                f"{address!r} is neither an IP address nor a network; set one such as 10.0.0.0/8"
            ) from None
    return listed


def proxy(text: str) -> str:
    """Read the URL of an HTTP proxy. Errors never contain the URL: it may hold a password."""
    wrong = "is not the URL of a proxy; set one such as http://proxy.example:3128"
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        raise ValueError(wrong) from None
    if not usable or not text.isascii() or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(wrong)
    return f"{parts.scheme}://{parts.netloc}"


def encryption_keys(text: str) -> list[str]:
    """Read comma-separated Base64 keys of 32 bytes, the newest first. Errors never contain a key."""
    keys = [word.replace("+", "-").replace("/", "_") for word in words(text)]
    for number, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError:
            raise ValueError(
                f"key {number} is not the Base64 of 32 bytes; set what `openssl rand -base64 32` prints"
            ) from None
    return keys


def database(text: str) -> dict[str, Any]:
    """Read the URL of a PostgreSQL database, as an entry of Django's DATABASES. Errors never contain the URL."""
    wrong = "not the address of a PostgreSQL database; set one such as postgres://user:password@host:5432/cro"
    if not re.match(r"postgres(ql)?://", text):
        raise ValueError(wrong)
    address, _, _ = text.partition("://")[2].partition("?")
    authority = re.split("[/#]", address, maxsplit=1)[0]
    if "@" in text and "@" not in authority:
        raise ValueError("in a user or password, write @ as %40, / as %2F, ? as %3F, # as %23 and % as %25")
    try:
        read = environ.Env.db_url_config(text)
    except ValueError:
        raise ValueError(wrong) from None
    if not read.get("NAME"):
        raise ValueError(wrong)
    options = {"connect_timeout": SECONDS_TO_CONNECT, **read.get("OPTIONS", {})}
    return {**read, "OPTIONS": options}


def embedded_database(project: Path) -> dict[str, Any]:
    """Return the entry of Django's DATABASES for the embedded server of the project in the folder `project`."""
    return {
        "ENGINE": EMBEDDED,
        "NAME": places.DATABASE,
        "USER": places.USER,
        "HOST": str(places.of_project(project).socket),
        "PORT": "5432",
    }


def moment(text: str) -> datetime:
    """Read an ISO 8601 moment with an offset, as an aware datetime in UTC."""
    example = "set an ISO moment with its offset, such as 2026-03-01T12:00:00+00:00"
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a moment; {example}") from None
    if read.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset; {example}")
    return read.astimezone(UTC)


def signing_seed(text: str) -> bytes:
    """Read the 32-byte Ed25519 seed of a private key, in either of its Base64 forms."""
    try:
        return sealing.load_private_key(text)
    except sealing.InvalidPrivateKey as wrong:
        raise ValueError(f"{wrong}; set what `manage.py generate_key` prints") from None


def signing_seed_in_file(path: str) -> bytes:
    """Read the seed in the file `path`.

    The file has the private key alone, or the lines that `manage.py generate_key` prints.
    """
    try:
        text = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as unreadable:
        reason = getattr(unreadable, "strerror", None) or "not text"
        raise ValueError(f"cannot read {path} ({reason}); set the path of a readable file") from None
    named = re.search(r"^(?:export )?CRO_PRIVATE_KEY=(.*)$", text, re.MULTILINE)
    return signing_seed((named[1] if named else text).strip())


def signing_key() -> bytes:
    """Return the seed of the CRO's private key. Raise ImproperlyConfigured if none is set."""
    if settings.CRO_SIGNING_KEY is None:
        raise ImproperlyConfigured(
            "CRO_PRIVATE_KEY: is not set; set it, or CRO_PRIVATE_KEY_FILE, "
            "to what `manage.py generate_key` prints"
        )
    return settings.CRO_SIGNING_KEY


def require_complete() -> None:
    """Raise ImproperlyConfigured if a setting is missing that a running CRO needs."""
    signing_key()
    if not setting("SECRET_KEY", "", str):
        raise ImproperlyConfigured("SECRET_KEY: is not set; set it to a long random text that stays the same")


def reach_database() -> None:
    """Connect to the database once. This starts or joins the embedded server, if that is the database.

    Raises:
        ImproperlyConfigured: The database cannot be reached. The text says why.
    """
    try:
        connection.ensure_connection()
    except OperationalError as unreachable:
        raise ImproperlyConfigured(why_unreachable(unreachable)) from None
    connection.close()


def why_unreachable(error: OperationalError) -> str:
    """Return in one line, for staff, why the database cannot be reached."""
    if settings.DATABASES["default"]["ENGINE"] == EMBEDDED:
        return f"DATABASE_URL: is not set, and {error}"
    reason = " ".join(str(error).split())
    return f"DATABASE_URL: the database cannot be reached: {reason}"
