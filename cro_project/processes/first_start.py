"""Make what a first start needs, so that a trial of the CRO needs no configuration."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from uftp.protocol import sealing

ADMIN = "admin"


def write_environment(file: Path) -> bool:
    """Add a secret and a private key to `file` if they are not set. Only the owner of the file may read it.

    The participants of a trial are on this machine, so this also lets messages go to private addresses. They may demand
    an access token or a client certificate, so there is a key that encrypts these.

    Returns:
        Whether anything was added.

    Raises:
        ImproperlyConfigured: A setting is empty in the environment, which would win over `file`; or `file` cannot be
            written.
    """
    made: dict[str, str] = {}
    if _is_missing("SECRET_KEY"):
        made["SECRET_KEY"] = secrets.token_urlsafe(48)
    if not os.environ.get("CRO_PRIVATE_KEY_FILE", "").strip() and _is_missing("CRO_PRIVATE_KEY"):
        made["CRO_PRIVATE_KEY"], _ = sealing.generate_key()
    if not made:
        return False
    if "CREDENTIALS_KEY" not in os.environ:
        made["CREDENTIALS_KEY"] = base64.b64encode(secrets.token_bytes(32)).decode()
    if "UFTP_ALLOW_PRIVATE_ENDPOINTS" not in os.environ:
        made["UFTP_ALLOW_PRIVATE_ENDPOINTS"] = "true"
    try:
        _append(file, made)
    except OSError as impossible:
        raise ImproperlyConfigured(
            f"{' and '.join(made)}: not set, and {file} cannot be written ({impossible.strerror})"
        ) from None
    return True


def _is_missing(name: str) -> bool:
    """Return whether the setting is not set. Raise ImproperlyConfigured if it is set, but empty."""
    text = os.environ.get(name)
    if text is not None and not text.strip():
        raise ImproperlyConfigured(
            f"{name}: is empty, in .env or in the environment; give it a value, or remove the line to have one made"
        )
    return text is None


def _append(file: Path, made: dict[str, str]) -> None:
    file.touch(0o600)
    file.chmod(0o600)
    with file.open("a") as lines:
        lines.write(
            "\n# Made by the first `make run`, for trying; the environment wins. See docs/settings.md.\n"
        )
        lines.writelines(f"{name}={value}\n" for name, value in made.items())


def create_admin(on_created: Callable[[str], None]) -> str | None:
    """Create the superuser ADMIN and return the password; None if there is a superuser already.

    Args:
        on_created: Called with the password before the account is stored. If it fails or is interrupted, there is no
            account: a password that nobody has seen is never stored.
    """
    users = get_user_model()
    if users.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        users.objects.create_superuser(ADMIN, password=password)
        on_created(password)
    return password
