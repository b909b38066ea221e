"""Write log-ins, failed log-ins, locks and log-outs of staff to the log (docs/operating.md, Logs).

The log of django-axes is off in the settings: it repeats the user name as it was typed, which may be a password.
"""

import logging
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from cro_project.web.client_address import of_request

logger = logging.getLogger(__name__)


def connect() -> None:
    """Log from now on."""
    from axes.signals import user_locked_out  # its module needs the models

    user_logged_in.connect(_logged_in, dispatch_uid=f"{__name__}.in")
    user_logged_out.connect(_logged_out, dispatch_uid=f"{__name__}.out")
    user_login_failed.connect(_failed, dispatch_uid=f"{__name__}.failed")
    user_locked_out.connect(_locked, dispatch_uid=f"{__name__}.locked")


def _logged_in(request: HttpRequest | None, user: Any, **_: Any) -> None:
    logger.info("%s logged in from %s.", user, _address(request))


def _logged_out(request: HttpRequest | None, user: Any, **_: Any) -> None:
    if user is not None:
        logger.info("%s logged out from %s.", user, _address(request))


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    logger.warning("A log-in failed from %s, for %s.", _address(request), _name(credentials.get("username")))


def _locked(request: HttpRequest, username: str | None, **_: Any) -> None:
    """Log that a log-in is locked. The signal comes again with each attempt under the lock: log the first one."""
    if getattr(request, "axes_failures_since_start", None) is not None:
        logger.warning("The log-in from %s, for %s, is locked.", _address(request), _name(username))


def _name(typed: object) -> str:
    """Return the user name `typed`. An unknown one is not repeated: it may be a password in the wrong field."""
    name = str(typed or "")
    return name if get_user_model().objects.filter(username=name).exists() else "an unknown user name"


def _address(request: HttpRequest | None) -> str:
    return (of_request(request) if request is not None else None) or "an unknown address"
