"""The HTTP responses to refused requests: a status and one line of plain text."""

from collections.abc import Callable

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

PLAIN = "text/plain; charset=utf-8"


class _Afterwards(HttpResponseBase):
    """Calls `afterwards` once the response is sent, so that the sender does not wait for it."""

    afterwards: Callable[[], None] | None = None

    def close(self) -> None:
        if self.afterwards is not None:
            self.afterwards()
        super().close()


class Line(_Afterwards, HttpResponse):
    """A status with a line."""


class LineThenDiscard(_Afterwards, StreamingHttpResponse):
    """A status with a line, sent while the body that still arrives is read and discarded."""


def line_of(status: int, line: str, retry_after: int | None = None) -> Line:
    """Make a response of `status` and `line`; `retry_after` is in seconds."""
    response = Line(f"{line}\n", status=status, content_type=PLAIN)
    response["Content-Length"] = str(len(response.content))
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    if status == 405:
        response["Allow"] = "POST"
    return response
