"""What a first start makes, so that trying the CRO needs no configuring."""

import os
import secrets
from pathlib import Path

from django.contrib.auth import get_user_model

from uftp import sealing

ADMIN = "admin"


def write_environment(file: Path) -> bool:
    """Add to `file`, for its owner only, the secret and the key that neither it nor the environment has.

    A trial's participants are on this machine, so the first start also lets messages go to private addresses.
    Returns whether anything was missing.
    """
    made: dict[str, str] = {}
    if not os.environ.get("SECRET_KEY"):
        made["SECRET_KEY"] = secrets.token_urlsafe(48)
    if not os.environ.get("CRO_PRIVATE_KEY") and not os.environ.get("CRO_PRIVATE_KEY_FILE"):
        made["CRO_PRIVATE_KEY"], _ = sealing.generate_key()
    if not made:
        return False
    if not os.environ.get("UFTP_ALLOW_PRIVATE_ENDPOINTS"):
        made["UFTP_ALLOW_PRIVATE_ENDPOINTS"] = "true"
    file.touch(0o600)
    file.chmod(0o600)
    with file.open("a") as lines:
        lines.write(
            "\n# Made by the first `make run`, for trying; the environment wins. See docs/settings.md.\n"
        )
        lines.writelines(f"{name}={value}\n" for name, value in made.items())
    return True


def create_admin() -> str | None:
    """Create the account `ADMIN`, which may do everything, where there is none such; returns its password."""
    users = get_user_model()
    if users.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    users.objects.create_superuser(ADMIN, password=password)
    return password
