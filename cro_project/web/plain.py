"""Answers to machines: a status and one line of text, never a page."""

import logging
from collections.abc import Callable
from functools import wraps

from django.core.exceptions import BadRequest, DisallowedHost, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.views.decorators.csrf import csrf_exempt

from uftp.protocol.versions import PATHS

View = Callable[[HttpRequest], HttpResponse]

REFUSALS = (Http404, PermissionDenied, BadRequest, MultiPartParserError)
"""What says that a request is refused, and not that this CRO failed at it."""


def line(status: int, text: str) -> HttpResponse:
    """Return a response with `text` as its only line, which no cache stores."""
    return HttpResponse(
        f"{text}\n",
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-store"},
    )


def only_read(view: View) -> View:
    """Let GET and HEAD reach `view`; any other method gets 405."""

    @csrf_exempt
    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return view(request)
        refused = line(405, "GET this")
        refused["Allow"] = "GET, HEAD"
        return refused

    return checked


@csrf_exempt
def not_found(request: HttpRequest) -> HttpResponse:
    """404 for what is no route of messages or health, whatever the method."""
    return line(404, "there is nothing here: messages go to /shapeshifter/api/v3/message")


def has_no_line_of_its_own(record: logging.LogRecord) -> bool:
    """Whether Django's line about an answer says something that no other line of the log does.

    A filter for the logger `django.request`. What refuses a message or a host name says so itself, with the reason.
    """
    request = getattr(record, "request", None)
    if record.exc_info or request is None:
        return True
    try:
        request.get_host()
    except DisallowedHost:
        return False
    match = request.resolver_match
    return request.path_info not in PATHS and not (match and (match.url_name or "").startswith("health-"))


def in_one_line(record: logging.LogRecord) -> bool:
    """Let `record` pass, as a filter of the log does; that of a refused request without its stack trace."""
    if record.exc_info and isinstance(record.exc_info[1], REFUSALS):
        record.exc_info = record.exc_text = None
    return True
