"""The limit for the bodies of requests from nobody who has logged in, on all paths but that of messages."""

import contextlib
import time
from collections.abc import Callable, Iterator

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

ANONYMOUS_BYTES = 100_000
"""The longest body of a request from nobody who has logged in. The forms of the log-in need less."""

PIECE = 1 << 16
DISCARD_SECONDS = 2.0


def limit_anonymous_bodies(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer 413 to a longer body, by its Content-Length, unless a member of staff has logged in.

    A body without a Content-Length is read by nobody: for Django it is empty. This middleware comes after those that
    know the user, and before all that reads a body, such as the check of the CSRF token. What staff may upload is
    limited where they upload it.
    """

    def respond(request: HttpRequest) -> HttpResponseBase:
        stated = str(request.META.get("CONTENT_LENGTH") or "0")
        length = int(stated) if stated.isdecimal() else 0
        if length <= ANONYMOUS_BYTES or request.user.is_staff:
            return get_response(request)
        text = f"{length} bytes are too many before the log-in: at most {ANONYMOUS_BYTES} are taken; log in first\n"
        return StreamingHttpResponse(
            _respond_then_discard(text, request),
            status=413,
            content_type="text/plain; charset=utf-8",
            headers={"Cache-Control": "no-store", "Content-Length": str(len(text))},
        )

    return respond


def _respond_then_discard(text: str, request: HttpRequest) -> Iterator[bytes]:
    """Yield the text, then read and discard the body for some seconds: a client may not read before it has sent all."""
    yield text.encode()
    deadline = time.monotonic() + DISCARD_SECONDS
    with contextlib.suppress(OSError):
        while time.monotonic() < deadline and request.read(PIECE):
            pass
