"""The HTTP responses to refused requests: a status and one line of plain text."""

from collections.abc import Callable

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

PLAIN = "text/plain; charset=utf-8"


class _Afterwards(HttpResponseBase):
    """A response that calls `afterwards` once it is sent, so that the sender does not wait for that."""

    afterwards: Callable[[], None] | None = None

    def close(self) -> None:
        if self.afterwards is not None:
            self.afterwards()
        super().close()


class PlainResponse(_Afterwards, HttpResponse):
    """A response with a status and a line."""


class PlainResponseThenDiscard(_Afterwards, StreamingHttpResponse):
    """A response with a status and a line, sent while the rest of the request's body is read and discarded."""


def plain_response(status: int, line: str, retry_after: int | None = None) -> PlainResponse:
    """Return a response with `status` and `line`. `retry_after` is in seconds."""
    response = PlainResponse(f"{line}\n", status=status, content_type=PLAIN)
    response["Content-Length"] = str(len(response.content))
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    if status == 405:
        response["Allow"] = "POST"
    return response
