"""What a first start makes, so that trying the CRO needs no configuring."""

import os
import secrets
from pathlib import Path

from django.contrib.auth import get_user_model

from uftp import sealing

ADMIN = "admin"


def write_environment(file: Path) -> bool:
    """Write to `file`, for its owner only, the settings that a trial needs and the environment lacks.

    A file that is there stays as it is. Returns whether one was written.
    """
    if file.exists():
        return False
    private_key, _ = sealing.generate_key()
    given = os.environ
    values = {"SECRET_KEY": secrets.token_urlsafe(48), "UFTP_ALLOW_PRIVATE_ENDPOINTS": "true"}
    if not given.get("CRO_PRIVATE_KEY_FILE"):
        values["CRO_PRIVATE_KEY"] = private_key
    lines = [f"{name}={value}\n" for name, value in values.items() if not given.get(name)]
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
        made.write(
            "# Made by the first `make run`, for trying; the environment wins. See docs/settings.md.\n"
        )
        made.writelines(lines)
    return True


def create_admin() -> str | None:
    """Create the account `ADMIN`, which may do everything, where there is none such; returns its password."""
    users = get_user_model()
    if users.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    users.objects.create_superuser(ADMIN, password=password)
    return password
