"""The host names that requests come under."""

import logging
import re
from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from cro_project.config.environment import words
from cro_project.web.plain import line

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
_LONGEST = 200
_HOST = r"\*|\.?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-f:.]+\]"


def hosts(text: str) -> list[str]:
    """Comma-separated host names, as Django's ALLOWED_HOSTS takes them. Raises ValueError."""
    for host in (given := words(text)):
        if not re.fullmatch(_HOST, host.lower()):
            raise ValueError(
                f"{host!r} is not a host name; set names alone, without https://, port or path, such as "
                "cro.example,localhost"
            )
    return given


def own(allowed: list[str]) -> str:
    """Return a host name that `allowed` accepts, for this CRO's requests to itself."""
    if not allowed or "*" in allowed or LOOPBACK in allowed:
        return LOOPBACK
    return allowed[0].removeprefix(".")


def refuse_others(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: a request under a host name that is not allowed gets 400 and one line."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        try:
            request.get_host()
        except DisallowedHost:
            host = request.META.get("HTTP_HOST", "")[:_LONGEST]
            logger.warning(
                "Refused %s %s: ALLOWED_HOSTS does not name %r.", request.method, request.path, host
            )
            return line(400, "this is not a host name of this CRO")
        return get_response(request)

    return answer
