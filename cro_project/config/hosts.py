"""Read the allowed host names, and refuse requests for other hosts."""

import logging
import re
from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from cro_project.config.environment import words
from cro_project.web.plain import plain_response

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
_MAX_LOGGED = 200
_HOST = r"\*|\.?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-f:.]+\]"


def hosts(text: str) -> list[str]:
    """Read comma-separated host names, in the form of Django's ALLOWED_HOSTS. Raise ValueError for a wrong one."""
    for host in (listed := words(text)):
        if not re.fullmatch(_HOST, host.lower()):
            raise ValueError(
                f"{host!r} is not a host name; set names alone, without https://, port or path, such as "
                "cro.example,localhost"
            )
    return listed


def own_host(allowed: list[str]) -> str:
    """Return a host name that `allowed` accepts, for requests of this CRO to itself."""
    if not allowed or "*" in allowed or LOOPBACK in allowed:
        return LOOPBACK
    return allowed[0].removeprefix(".")


def refuse_unknown_hosts(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer 400 and one line if the host name of a request is not allowed. This is a middleware."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        try:
            request.get_host()
        except DisallowedHost:
            host = request.META.get("HTTP_HOST", "")[:_MAX_LOGGED]
            logger.warning(
                "Refused %s %s: ALLOWED_HOSTS does not name %r.", request.method, request.path, host
            )
            return plain_response(400, "this is not a host name of this CRO")
        return get_response(request)

    return respond
