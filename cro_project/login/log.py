"""Write log-ins, failed log-ins and log-outs of staff to the log (docs/operating.md, Logs)."""

import logging
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from cro_project.web.client_address import of_request

logger = logging.getLogger(__name__)


def connect() -> None:
    """Log from now on."""
    user_logged_in.connect(_logged_in, dispatch_uid=f"{__name__}.in")
    user_logged_out.connect(_logged_out, dispatch_uid=f"{__name__}.out")
    user_login_failed.connect(_failed, dispatch_uid=f"{__name__}.failed")


def _logged_in(request: HttpRequest | None, user: Any, **_: Any) -> None:
    logger.info("%s logged in from %s.", user, _address(request))


def _logged_out(request: HttpRequest | None, user: Any, **_: Any) -> None:
    if user is not None:
        logger.info("%s logged out from %s.", user, _address(request))


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Log a failed log-in. An unknown user name is not repeated: it may be a password in the wrong field."""
    name = str(credentials.get("username", ""))
    known = get_user_model().objects.filter(username=name).exists()
    logger.warning(
        "A log-in failed from %s, for %s.", _address(request), name if known else "an unknown user name"
    )


def _address(request: HttpRequest | None) -> str:
    return (of_request(request) if request is not None else None) or "an unknown address"
