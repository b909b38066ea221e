"""Responses to programs: a status and one line of text, never a page. Filters of the log for them."""

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
"""Exceptions that mean that a request is refused, and not that this CRO failed."""


def plain_response(status: int, text: str) -> HttpResponse:
    """Return a response with the line `text`. No cache stores it."""
    return HttpResponse(
        f"{text}\n",
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-store"},
    )


def read_only(view: View) -> View:
    """Let only GET and HEAD reach `view`; answer 405 to other methods. This is a decorator."""

    @csrf_exempt
    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return view(request)
        response = plain_response(405, "GET this")
        response["Allow"] = "GET, HEAD"
        return response

    return checked


@csrf_exempt
def not_found(request: HttpRequest) -> HttpResponse:
    """Answer 404, to every method, below the routes of messages and health."""
    return plain_response(404, "there is nothing here: messages go to /shapeshifter/api/v3/message")


def is_not_logged_elsewhere(record: logging.LogRecord) -> bool:
    """Return whether the log has no other line about the response of `record`.

    A filter of the logger `django.request`. The message endpoint, the health routes and the check of host names write
    a line with the reason themselves.
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


def drop_trace_of_refusal(record: logging.LogRecord) -> bool:
    """Remove the stack trace from `record` if a request was refused. A filter of the log that lets all pass."""
    if record.exc_info and isinstance(record.exc_info[1], REFUSALS):
        record.exc_info = record.exc_text = None
    return True
